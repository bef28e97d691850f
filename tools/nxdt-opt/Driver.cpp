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
#include "nxdt/Config/Load.h"
#include "nxdt/Support/UserError.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

using namespace nxdt;
using llvm::StringRef;

static constexpr StringRef kEmitKinds[] = {
    "captured", "functionalized", "loss", "fused",   "autodiff", "step",
    "sharded",  "recomputed",     "spmd", "lowered", "plan"};

const char *nxdt::driverUsage() {
  return "usage: nxdt-opt CONFIG.yaml [key=value ...] [options]\n"
         "\n"
         "Without options: one screen on what the file asks for and what it "
         "will take.\n"
         "\n"
         "  --explain-config     each key of the file: honoured, equivalent, "
         "ignored or refused, and why\n"
         "  --emit=PHASE         the IR after a phase: captured, "
         "functionalized, loss, fused,\n"
         "                       autodiff, step, sharded, recomputed, spmd, "
         "lowered; or 'plan'\n"
         "  -o PATH              where to write it: a file; for 'plan' a "
         "folder that nxdt-run --plan takes\n"
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
        takeOption("-o", argc, argv, i, options.output))
      continue;
    if (argument == "--explain-config") {
      options.explainConfig = true;
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
  if (options.emit == "plan" && options.output.empty())
    throw UserError("--emit=plan needs -o DIR");
  if (options.emit.empty() && !options.output.empty())
    throw UserError("-o needs --emit=PHASE");
  return options;
}

static int run(const DriverOptions &options) {
  LoadOptions load;
  load.path = options.config;
  load.overrides = options.overrides;
  if (options.explainConfig) {
    llvm::outs() << explainConfig(load);
    return 0;
  }
  bool summary = options.emit.empty() && options.dumpPhases.empty();
  // The summary is also for files that this version cannot run.
  load.forExecution = !summary;
  LoadedConfig loaded = loadRunConfig(load);
  if (!summary)
    for (const std::string &notice : loaded.notices)
      llvm::errs() << "note: " << notice << '\n';

  CompileOptions compile;
  compile.stopAfter = options.emit;
  compile.dumpPhases = options.dumpPhases;
  Compilation compilation(loaded.run, compile);
  if (mlir::failed(compilation.run()))
    return 1;
  if (summary)
    llvm::outs() << summarize(loaded.run, compilation.plan(), loaded.notices,
                              loaded.unsupported);
  else if (options.emit == "plan")
    writePlanFolder(loaded.run, compilation.plan(), options.output);
  else if (!options.emit.empty())
    writeText(options.output, compilation.text());
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
