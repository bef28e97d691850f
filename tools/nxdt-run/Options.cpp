//===- Options.cpp - nxdt-run's command line -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Options.h"
#include "nxdt/Support/UserError.h"

#include <charconv>

namespace nxdt::run {
namespace {

bool isConfigFile(const std::string &argument) {
  return argument.find('=') == std::string::npos &&
         (argument.ends_with(".yaml") || argument.ends_with(".yml"));
}

bool isOverride(const std::string &argument) {
  return argument.starts_with("~") || argument.find('=') != std::string::npos;
}

int64_t positiveNumber(const char *option, const std::string &text) {
  int64_t value = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1)
    throw UserError(std::string(option) + " takes a number from 1 up, not '" +
                    text + "'");
  return value;
}

/// "--name=value" or "--name value".
bool takeValue(const char *name, const std::vector<std::string> &arguments,
               size_t &i, std::string &value) {
  const std::string &argument = arguments[i];
  if (argument.starts_with(std::string(name) + "="))
    value = argument.substr(argument.find('=') + 1);
  else if (argument != name)
    return false;
  else if (i + 1 < arguments.size())
    value = arguments[++i];
  if (value.empty())
    throw UserError(std::string(name) + " needs a value");
  return true;
}

bool takeSimulate(const std::vector<std::string> &arguments, size_t &i,
                  Options &out) {
  const std::string &argument = arguments[i];
  if (argument == "--steps" || argument.starts_with("--steps=")) {
    if (argument == "--steps" && i + 1 == arguments.size())
      throw UserError("--steps needs a number");
    out.steps = positiveNumber("--steps",
                               argument == "--steps"
                                   ? arguments[++i]
                                   : argument.substr(argument.find('=') + 1));
    out.stepsGiven = true;
    return true;
  }
  if (argument != "--simulate" && argument != "--simulate-ops" &&
      argument != "--simulate-after-each-pass")
    return false;
  out.action = Options::Action::Simulate;
  out.simulateOps |= argument == "--simulate-ops";
  out.simulateAfterEachPass |= argument == "--simulate-after-each-pass";
  return true;
}

} // namespace

const char *usage() {
  return "usage: nxdt-run CONFIG.yaml [key=value ...]\n"
         "       nxdt-run --plan DIR [key=value ...]\n"
         "\n"
         "Compiles a configuration with the nxdt-opt beside this program into "
         "<log_dir>/plan and\n"
         "trains; or trains from a plan that `nxdt-opt CONFIG --emit=plan -o "
         "DIR` wrote.\n"
         "Starts trainer.devices processes by itself; under torchrun, mpirun "
         "or srun it is one of theirs.\n"
         "\n"
         "  --plan DIR               a folder with plan.json and config.yaml\n"
         "  --trace=FILE             writes the measured timeline of a step of "
         "all ranks, for ui.perfetto.dev,\n"
         "                           with the names of nxdt-opt --trace\n"
         "  --trace-step=N           which step of this run (default 3, or the "
         "last)\n"
         "  --calibrate=FILE         instead: measures this host, some "
         "seconds, and writes a file for\n"
         "                           nxdt-opt --cluster\n"
         "  --simulate               instead of training: all ranks in this "
         "process for --steps N steps\n"
         "                           (default 2), compared with the same model "
         "on one rank: losses,\n"
         "                           gradients, weights, optimizer state; "
         "names "
         "the first operation that\n"
         "                           differs\n"
         "  --simulate-ops           the same, and compares all values inside "
         "of programs\n"
         "  --simulate-after-each-pass  the same after each phase that changes "
         "how something is computed:\n"
         "                           fused, sharded, recomputed\n"
         "  --help-config [SECTION]  all keys of the YAML: type, default, "
         "legal values, status\n"
         "  --help                   this text\n"
         "\n"
         "Overrides are Hydra's: a.b=v sets, +a.b=v adds, ++a.b=v does either, "
         "~a.b deletes.\n"
         "Exit code: 0; 1 after an error or a difference; 75 after an error of "
         "another rank; "
         "128 + n if signal n\nended the run between two steps.\n";
}

Options parseOptions(const std::vector<std::string> &arguments) {
  Options out;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string &argument = arguments[i];
    if (argument == "--help" || argument == "-h") {
      out.action = Options::Action::Help;
      return out;
    }
    if (argument == "--help-config") {
      out.action = Options::Action::HelpConfig;
      if (i + 1 < arguments.size())
        out.configSection = arguments[++i];
      if (i + 1 < arguments.size())
        throw UserError("--help-config takes one section, but '" +
                        arguments[i + 1] + "' is given too");
      return out;
    }
    if (argument.starts_with("--help-config=")) {
      out.action = Options::Action::HelpConfig;
      out.configSection = argument.substr(argument.find('=') + 1);
      return out;
    }
    if (argument == "--plan" || argument.starts_with("--plan=")) {
      if (argument != "--plan")
        out.planFolder = argument.substr(argument.find('=') + 1);
      else if (i + 1 < arguments.size())
        out.planFolder = arguments[++i];
      if (out.planFolder.empty())
        throw UserError("--plan needs a folder");
      continue;
    }
    if (takeSimulate(arguments, i, out))
      continue;
    if (takeValue("--calibrate", arguments, i, out.calibration)) {
      out.action = Options::Action::Calibrate;
      continue;
    }
    if (takeValue("--trace", arguments, i, out.trace))
      continue;
    if (std::string number; takeValue("--trace-step", arguments, i, number)) {
      out.traceStep = positiveNumber("--trace-step", number);
      out.traceStepGiven = true;
      continue;
    }
    if (argument.starts_with("-") && argument != "-")
      throw UserError(
          "unknown option '" + argument +
          "' (known: --plan, --simulate, --simulate-ops, "
          "--simulate-after-each-pass, --steps, --trace, --calibrate, "
          "--trace-step, --help-config, "
          "--help)");
    if (isOverride(argument)) {
      out.overrides.push_back(argument);
      continue;
    }
    if (!isConfigFile(argument))
      throw UserError("'" + argument +
                      "' is neither a configuration (*.yaml, *.yml) nor an "
                      "override (key=value)");
    if (!out.config.empty())
      throw UserError("two configurations given: " + out.config + " and " +
                      argument);
    out.config = argument;
  }
  if (out.stepsGiven && out.action != Options::Action::Simulate)
    throw UserError("--steps belongs to --simulate; a training run ends with "
                    "trainer.max_steps");
  if (out.traceStepGiven && out.trace.empty())
    throw UserError("--trace-step belongs to --trace");
  if (!out.trace.empty() && out.action != Options::Action::Train)
    throw UserError("--trace records training, which --simulate does not do");
  if (out.simulateAfterEachPass && !out.planFolder.empty())
    throw UserError("--simulate-after-each-pass compiles a configuration: give "
                    "CONFIG.yaml instead of --plan");
  if (!out.calibration.empty()) {
    if (!out.config.empty() || !out.planFolder.empty() ||
        !out.overrides.empty() || !out.trace.empty() ||
        out.action != Options::Action::Calibrate)
      throw UserError("--calibrate measures this host: it goes with nothing "
                      "else");
    return out;
  }
  if (out.config.empty() == out.planFolder.empty())
    throw UserError(out.config.empty()
                        ? "no configuration given (nxdt-run --help)"
                        : "--plan has its own configuration: leave out " +
                              out.config);
  return out;
}

} // namespace nxdt::run
