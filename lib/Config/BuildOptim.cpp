//===- BuildOptim.cpp - model.optim, typed --------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Build.h"
#include "PyFormat.h"

#include <algorithm>
#include <set>

namespace nxdt::config {
namespace {

const std::string kOptim = "model.optim.";
const std::string kSched = "model.optim.sched.";

struct Known {
  const char *name;
  OptimizerKind kind;
  /// Constructor arguments that change its result.
  std::set<std::string> arguments;
  double eps;
  double weightDecay;
};

const std::vector<Known> &optimizers() {
  static const std::vector<Known> known = {
      {"adamw",
       OptimizerKind::AdamW,
       {"betas", "eps", "weight_decay"},
       1e-8,
       1e-2},
      {"adamw_fp32OptState",
       OptimizerKind::AdamWFp32OptState,
       {"betas", "eps", "weight_decay", "correct_bias"},
       1e-6,
       0.0},
      {"sgd",
       OptimizerKind::Sgd,
       {"momentum", "dampening", "weight_decay", "nesterov"},
       0.0,
       0.0}};
  return known;
}

/// Arguments that some optimizer takes and this one does not.
void refuseForeignArguments(Context &context, const Known &known) {
  static const std::set<std::string> neutral = {
      "name",    "lr",       "sched", "capturable",     "foreach", "fused",
      "amsgrad", "maximize", "args",  "differentiable", "cls",     "_target_"};
  const Node *section = context.get("model.optim");
  if (!section || !section->isMap())
    return;
  for (const Entry &entry : section->entries) {
    std::string key = pyStr(entry.key);
    if (neutral.count(key) || known.arguments.count(key) ||
        !findKey(kOptim + key))
      continue;
    std::string takes;
    for (const std::string &argument : known.arguments)
      takes += ", " + argument;
    context.error(kOptim + key, std::string(known.name) +
                                    " does not take it (it takes lr" + takes +
                                    ")");
  }
}

void readBetas(Context &context, OptimizerConfig &optim) {
  const std::string key = kOptim + "betas";
  const Node *betas = context.get(key);
  if (!betas || !betas->isList())
    return;
  double values[2] = {optim.beta1, optim.beta2};
  bool good = betas->items.size() == 2;
  for (size_t i = 0; good && i < 2; ++i) {
    const Node &item = *betas->items[i];
    const auto *real =
        item.isScalar() ? std::get_if<double>(&item.scalar) : nullptr;
    const auto *whole =
        item.isScalar() ? std::get_if<int64_t>(&item.scalar) : nullptr;
    good = real || whole;
    if (good)
      values[i] = real ? *real : static_cast<double>(*whole);
    good = good && values[i] >= 0.0 && values[i] < 1.0;
  }
  if (!good)
    context.error(key, show(*betas) +
                           ": must be two numbers in [0, 1), e.g. [0.9, 0.95]");
  optim.beta1 = values[0];
  optim.beta2 = values[1];
}

void warnAboutDecay(Context &context, const OptimizerConfig &optim) {
  if (context.out.run.modelSource != "hf")
    return;
  if (context.has(kOptim + "weight_decay") && optim.weightDecay != 0.01)
    context.notice(kOptim + "weight_decay",
                   "is used as written; NxD Training takes 0.01 for Hugging "
                   "Face models, whatever the file says");
  if (context.boolOr("model.do_layer_norm_weight_decay", false))
    context.notice("model.do_layer_norm_weight_decay",
                   "decays norm weights and biases; NxD Training does the "
                   "opposite for Hugging Face models");
}

void buildSchedule(Context &context, OptimizerConfig &optim) {
  ScheduleConfig &sched = optim.sched;
  sched.maxSteps = context.out.run.trainer.maxSteps;
  if (!context.has("model.optim.sched"))
    return;
  if (!context.require(kSched + "name",
                       "LinearAnnealingWithWarmUp or CosineAnnealing (or no "
                       "model.optim.sched: a constant rate)"))
    return;
  std::string name = context.stringOr(kSched + "name", "");
  bool linear = name == "LinearAnnealingWithWarmUp";
  bool cosine = name == "CosineAnnealing";
  sched.kind = linear   ? ScheduleKind::LinearAnnealingWithWarmUp
               : cosine ? ScheduleKind::CosineAnnealing
                        : ScheduleKind::Constant;
  sched.constantSteps = context.intOr(kSched + "constant_steps", 0);
  sched.minLr = context.numberOr(kSched + "min_lr", 0.0);
  sched.warmupSteps = context.intOr(kSched + "warmup_steps", 0);
  if (context.has(kSched + "warmup_ratio")) {
    if (context.has(kSched + "warmup_steps"))
      context.error(kSched + "warmup_ratio",
                    "cannot be combined with warmup_steps = " +
                        std::to_string(sched.warmupSteps) +
                        "; keep one of them");
    sched.warmupSteps = static_cast<int64_t>(
        context.numberOr(kSched + "warmup_ratio", 0.0) *
        static_cast<double>(std::max<int64_t>(0, sched.maxSteps)));
  } else if (linear && !context.has(kSched + "warmup_steps")) {
    context.error(kSched + "warmup_steps", "is needed: the steps in which the "
                                           "learning rate grows, 0 for none");
  }
  if (context.has(kSched + "max_steps") && sched.maxSteps > 0 &&
      context.intOr(kSched + "max_steps", -1) != sched.maxSteps)
    context.notice(kSched + "max_steps",
                   "trainer.max_steps = " + std::to_string(sched.maxSteps) +
                       " is used, as NxD Training does");
  if (sched.maxSteps > 0 && sched.warmupSteps >= sched.maxSteps)
    context.notice(kSched + "warmup_steps",
                   "the run ends after " + std::to_string(sched.maxSteps) +
                       " steps, before the warm-up does");
  if (linear)
    for (const char *foreign : {"min_lr", "constant_steps", "constant_ratio"})
      if (context.has(kSched + foreign))
        context.error(kSched + foreign,
                      "LinearAnnealingWithWarmUp does not take it: it ends "
                      "at 0");
  if (cosine && sched.minLr > optim.lr)
    context.error(kSched + "min_lr",
                  "is above model.optim.lr = " + pyFloat(optim.lr) +
                      "; it must be at most that");
  static const std::vector<std::string> ofOthers = {
      "hold_steps", "hold_ratio", "d_model",   "decay_rate",
      "power",      "cycle",      "step_size", "gamma"};
  for (const std::string &foreign : ofOthers)
    if ((linear || cosine) && context.has(kSched + foreign))
      context.error(kSched + foreign, name + " does not take it");
}

} // namespace

void buildOptim(Context &context) {
  OptimizerConfig &optim = context.out.run.model.optim;
  if (!context.require(kOptim + "name", "adamw, adamw_fp32OptState or sgd"))
    return;
  context.require(kOptim + "lr", "the learning rate");
  optim.lr = context.numberOr(kOptim + "lr", 1e-3);
  std::string name = context.stringOr(kOptim + "name", "");
  auto known = std::find_if(
      optimizers().begin(), optimizers().end(),
      [&](const Known &candidate) { return name == candidate.name; });
  if (known != optimizers().end()) {
    optim.kind = known->kind;
    optim.eps = known->eps;
    optim.weightDecay = known->weightDecay;
    refuseForeignArguments(context, *known);
  }
  optim.eps = context.numberOr(kOptim + "eps", optim.eps);
  optim.weightDecay =
      context.numberOr(kOptim + "weight_decay", optim.weightDecay);
  optim.correctBias = context.boolOr(kOptim + "correct_bias", true);
  optim.momentum = context.numberOr(kOptim + "momentum", 0.0);
  optim.dampening = context.numberOr(kOptim + "dampening", 0.0);
  optim.nesterov = context.boolOr(kOptim + "nesterov", false);
  readBetas(context, optim);
  if (optim.kind == OptimizerKind::Sgd && optim.nesterov &&
      (optim.momentum <= 0.0 || optim.dampening != 0.0))
    context.error(kOptim + "nesterov",
                  "needs momentum above 0 and dampening 0; they are " +
                      pyFloat(optim.momentum) + " and " +
                      pyFloat(optim.dampening));
  warnAboutDecay(context, optim);
  buildSchedule(context, optim);
}

} // namespace nxdt::config
