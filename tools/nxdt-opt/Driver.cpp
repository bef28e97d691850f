//===- Driver.cpp - nxdt-opt on a YAML file -------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Driver.h"

#include "Compile.h"
#include "PlanFolder.h"
#include "Summary.h"
#include "nxdt/Analysis/Explain.h"
#include "nxdt/Analysis/Report.h"
#include "nxdt/Analysis/Timeline.h"
#include "nxdt/Config/Load.h"
#include "nxdt/Support/UserError.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

using namespace nxdt;
using llvm::StringRef;

static constexpr StringRef kEmitKinds[] = {
    "captured",   "functionalized", "loss",       "fused",  "autodiff",
    "step",       "sharded",        "recomputed", "staged", "spmd",
    "overlapped", "lowered",        "schedule",   "plan"};

const char *nxdt::driverUsage() {
  return "usage: nxdt-opt CONFIG.yaml [key=value ...] [options]\n"
         "\n"
         "Without options: one screen on what the file asks for and what it "
         "will take.\n"
         "\n"
         "  --explain-config     each key of the file: honoured, equivalent, "
         "ignored or refused, and why\n"
         "  --report[=json]      what the strategy costs: memory, collectives "
         "with their reasons, FLOPs\n"
         "  --explain=NAME       why a parameter, buffer or module lies as it "
         "does, and its collectives\n"
         "  --diff OTHER.yaml    both strategies side by side; overrides apply "
         "to both\n"
         "  --emit=PHASE         the IR after a phase: captured, "
         "functionalized, loss, fused,\n"
         "                       autodiff, step, sharded, recomputed, staged, "
         "spmd, overlapped,\n"
         "                       lowered; or 'plan', or 'schedule':\n"
         "                       what each stage of a pipeline does, with a "
         "picture\n"
         "  --trace=FILE         the predicted timeline of an optimizer step, "
         "for "
         "ui.perfetto.dev\n"
         "  --cluster FILE       what it runs on: times in seconds in "
         "--report, --diff, --trace and\n"
         "                       --emit=schedule (docs/Cost.md; nxdt-run "
         "--calibrate writes one)\n"
         "  -o PATH              where to write it: a file; for 'plan' a "
         "folder that nxdt-run --plan takes\n"
         "  --origins            names values in the IR from 'step' on and in "
         "the plan, so that plans can be\n"
         "                       compared value by value (nxdt-run --simulate "
         "does)\n"
         "  --no-overlap         each collective alone, and waited for where "
         "it "
         "is started: to compare\n"
         "  --dump-phases=DIR    also writes the IR after each phase to DIR\n"
         "  --help               this text; for .mlir input, see nxdt-opt "
         "--help without a CONFIG\n"
         "\n"
         "Overrides are Hydra's: a.b=v sets, +a.b=v adds, ++a.b=v does either, "
         "~a.b deletes.\n";
}

static bool isConfigFile(StringRef argument) {
  return !argument.starts_with("-") && !argument.contains('=') &&
         (argument.ends_with(".yaml") || argument.ends_with(".yml"));
}

bool nxdt::isConfigCommand(int argc, char **argv) {
  for (int i = 1; i < argc; ++i)
    if (isConfigFile(argv[i]))
      return true;
  return false;
}

/// "--name=value" or "--name value".
static bool takeOption(StringRef name, int argc, char **argv, int &i,
                       std::string &value) {
  StringRef argument = argv[i];
  if (argument == name) {
    if (i + 1 >= argc)
      throw UserError((name + " needs a value").str());
    value = argv[++i];
    return true;
  }
  if (!argument.consume_front(name) || !argument.consume_front("="))
    return false;
  value = argument.str();
  return true;
}

static DriverOptions parseArguments(int argc, char **argv) {
  DriverOptions options;
  for (int i = 1; i < argc; ++i) {
    StringRef argument = argv[i];
    if (takeOption("--emit", argc, argv, i, options.emit) ||
        takeOption("--dump-phases", argc, argv, i, options.dumpPhases) ||
        takeOption("--explain", argc, argv, i, options.explain) ||
        takeOption("--diff", argc, argv, i, options.diff) ||
        takeOption("--trace", argc, argv, i, options.trace) ||
        takeOption("--cluster", argc, argv, i, options.cluster) ||
        takeOption("-o", argc, argv, i, options.output))
      continue;
    if (argument == "--origins") {
      options.markOrigins = true;
    } else if (argument == "--no-overlap") {
      options.overlapCollectives = false;
    } else if (argument == "--explain-config") {
      options.explainConfig = true;
    } else if (argument == "--report") {
      options.report = "text";
    } else if (argument.consume_front("--report=")) {
      options.report = argument.str();
    } else if (isConfigFile(argument)) {
      if (!options.config.empty())
        throw UserError("two configurations given: " + options.config +
                        " and " + argument.str());
      options.config = argument.str();
    } else if (!argument.starts_with("-") &&
               (argument.contains('=') || argument.starts_with("~"))) {
      options.overrides.push_back(argument.str());
    } else {
      throw UserError("unknown argument '" + argument.str() +
                      "' (nxdt-opt CONFIG.yaml --help lists all)");
    }
  }
  if (!options.emit.empty() && !llvm::is_contained(kEmitKinds, options.emit))
    throw UserError(
        "--emit=" + options.emit + ": known are " +
        llvm::join(std::begin(kEmitKinds), std::end(kEmitKinds), ", "));
  if (!options.report.empty() && options.report != "text" &&
      options.report != "json")
    throw UserError("--report=" + options.report + ": known are text, json");
  if (!options.report.empty() + !options.explain.empty() +
          !options.diff.empty() + !options.emit.empty() +
          options.explainConfig >
      1)
    throw UserError("--report, --explain, --diff, --explain-config and --emit "
                    "exclude each other");
  if (options.emit == "plan" && options.output.empty())
    throw UserError("--emit=plan needs -o DIR");
  if (options.markOrigins && options.emit.empty() && options.dumpPhases.empty())
    throw UserError("--origins needs --emit=PHASE or --dump-phases=DIR");
  bool isWhole = options.emit.empty() || options.emit == "plan" ||
                 options.emit == "schedule";
  if (!options.trace.empty() && !isWhole)
    throw UserError("--trace needs the whole compilation, not --emit=" +
                    options.emit);
  bool tellsTimes = !options.report.empty() || !options.diff.empty() ||
                    !options.trace.empty() || options.emit == "schedule";
  if (!options.cluster.empty() && !tellsTimes)
    throw UserError("--cluster needs --report, --diff, --trace or "
                    "--emit=schedule");
  if (options.emit.empty() && !options.output.empty())
    throw UserError("-o needs --emit=PHASE");
  return options;
}

namespace {
/// A configuration, loaded and compiled.
struct Compiled {
  Compiled(const std::string &path, const DriverOptions &options,
           bool forExecution)
      : loaded(loadRunConfig({path, options.overrides, forExecution})),
        compilation(loaded.run,
                    {options.emit, options.dumpPhases, options.markOrigins,
                     options.overlapCollectives}),
        cluster(options.cluster) {
    // Before the work, not after it.
    if (!cluster.empty())
      loadCluster(cluster);
    if (forExecution)
      for (const std::string &notice : loaded.notices)
        llvm::errs() << "note: " << notice << '\n';
  }

  bool run() { return mlir::succeeded(compilation.run()); }
  StrategyReport report() {
    StrategyReport report =
        makeReport(loaded.run, compilation.family(), compilation.lowered());
    if (!cluster.empty())
      addTimes(report, model(), cluster);
    return report;
  }
  CostModel model() {
    if (cluster.empty())
      return CostModel(compilation.lowered(), compilation.family());
    return CostModel(compilation.lowered(), compilation.family(),
                     loadCluster(cluster));
  }
  /// With what it would be if nothing were computed again.
  StrategyReport fullReport() {
    StrategyReport whole = report();
    if (loaded.run.model.recomputePatterns.empty())
      return whole;
    RunConfig keeping = loaded.run;
    keeping.model.recomputePatterns.clear();
    CompileOptions options;
    options.quiet = true;
    Compilation kept(keeping, options);
    if (mlir::succeeded(kept.run()))
      addKeptMemory(whole, kept.family());
    return whole;
  }
  /// Throws UserError if a rank needs more than it may.
  void checkBudget() {
    if (loaded.run.strategy.budgetBytes == 0)
      return;
    std::string problem = budgetProblem(loaded.run, report());
    if (!problem.empty())
      throw UserError(problem);
  }

  LoadedConfig loaded;
  Compilation compilation;
  std::string cluster;
};
} // namespace

static int runDiff(Compiled &a, const DriverOptions &options) {
  Compiled b(options.diff, options, /*forExecution=*/false);
  if (!b.run())
    return 1;
  llvm::outs() << diffText(a.loaded.run, a.report(), b.loaded.run, b.report());
  llvm::outs().flush();
  a.checkBudget();
  b.checkBudget();
  return 0;
}

/// What the stages that know the name say of it; all say the same of what none
/// knows.
static std::string explainStages(const std::string &name,
                                 const RunConfig &config,
                                 Compilation &compilation) {
  const std::vector<plan::Plan> &stages = compilation.family().stages;
  std::string text, problem;
  for (size_t stage = 0; stage < stages.size(); ++stage)
    try {
      std::string part =
          explain(name, config, stages[stage], compilation.lowered());
      if (stages.size() > 1)
        text += "stage " + std::to_string(stage) + "\n";
      text += part;
    } catch (const UserError &error) {
      problem = error.what();
    }
  if (text.empty())
    throw UserError(problem);
  return text;
}

static int run(const DriverOptions &options) {
  if (options.explainConfig) {
    llvm::outs() << explainConfig({options.config, options.overrides, false});
    return 0;
  }
  // What only tells is also for files that this version cannot run.
  bool forExecution = !options.emit.empty() || !options.dumpPhases.empty();
  Compiled compiled(options.config, options, forExecution);
  if (!compiled.run())
    return 1;
  Compilation &compilation = compiled.compilation;
  const RunConfig &config = compiled.loaded.run;
  if (!options.diff.empty())
    return runDiff(compiled, options);
  if (!options.trace.empty())
    writeText(options.trace,
              stepTrace(compiled.model(), config.numMicroBatches()));
  if (options.emit == "plan") {
    compiled.checkBudget();
    writePlanFolder(config, compilation.family(), options.output);
    return 0;
  }
  if (options.emit == "schedule") {
    writeText(
        options.output,
        scheduleText(compiled.model(), compilation.family(), options.cluster));
    return 0;
  }
  if (!options.emit.empty()) {
    writeText(options.output, compilation.text());
    return 0;
  }
  if (options.report == "text")
    llvm::outs() << reportText(compiled.fullReport());
  else if (options.report == "json")
    llvm::outs() << reportJson(compiled.fullReport());
  else if (!options.explain.empty())
    llvm::outs() << explainStages(options.explain, config, compilation);
  else if (!forExecution && options.trace.empty())
    llvm::outs() << summarize(config, compilation.family(),
                              compiled.loaded.notices,
                              compiled.loaded.unsupported);
  llvm::outs().flush();
  compiled.checkBudget();
  return 0;
}

int nxdt::runDriver(int argc, char **argv) {
  for (int i = 1; i < argc; ++i)
    if (StringRef(argv[i]) == "--help" || StringRef(argv[i]) == "-h") {
      llvm::outs() << driverUsage();
      return 0;
    }
  try {
    return run(parseArguments(argc, argv));
  } catch (const UserError &error) {
    llvm::errs() << "error: " << error.what() << '\n';
    return 1;
  }
}
