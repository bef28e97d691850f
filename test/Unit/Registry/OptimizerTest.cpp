//===- OptimizerTest.cpp - each optimizer against its formula -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Through build-step, lower-to-aten, store-in-place and the executor. The
// settings are far from the usual ones, so that no two variants agree.
//
//===----------------------------------------------------------------------===//
#include "Compiler.h"
#include "Oracle.h"

#include "ATen/core/Formatting.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

using namespace nxdt::test;
using nxdt::plan::DType;

namespace {

constexpr double kBeta1 = 0.7, kBeta2 = 0.8, kEps = 1e-2, kDecay = 0.5;
constexpr int kSteps = 5;

/// One element's update; `state` has its moments, in the order of `states`.
struct Optimizer {
  std::string name;
  std::string settings; ///< of nxdt.train, without the decay
  std::vector<std::string> states;
  std::function<void(double &p, double g, std::vector<double> &state, double lr,
                     double decay, int step)>
      update;
};

/// torch.optim.AdamW: decay first, both moments corrected.
void adamw(double &p, double g, std::vector<double> &s, double lr, double decay,
           int t) {
  p -= lr * decay * p;
  s[0] = kBeta1 * s[0] + (1 - kBeta1) * g;
  s[1] = kBeta2 * s[1] + (1 - kBeta2) * g * g;
  double m = s[0] / (1 - std::pow(kBeta1, t));
  double v = s[1] / (1 - std::pow(kBeta2, t));
  p -= lr * m / (std::sqrt(v) + kEps);
}

/// NxD's: eps joins the uncorrected root, decay comes last.
template <bool correct>
void adamwFp32(double &p, double g, std::vector<double> &s, double lr,
               double decay, int t) {
  s[0] = kBeta1 * s[0] + (1 - kBeta1) * g;
  s[1] = kBeta2 * s[1] + (1 - kBeta2) * g * g;
  double size = lr;
  if (correct)
    size *= std::sqrt(1 - std::pow(kBeta2, t)) / (1 - std::pow(kBeta1, t));
  p -= size * s[0] / (std::sqrt(s[1]) + kEps);
  p -= lr * decay * p;
}

/// torch.optim.SGD.
auto sgd(double momentum, double dampening, bool nesterov) {
  return [=](double &p, double g, std::vector<double> &s, double lr,
             double decay, int t) {
    g += decay * p;
    if (momentum != 0) {
      s[0] = t == 1 ? g : momentum * s[0] + (1 - dampening) * g;
      g = nesterov ? g + momentum * s[0] : s[0];
    }
    p -= lr * g;
  };
}

std::vector<Optimizer> optimizers() {
  std::string adam = "beta1 = 0.7, beta2 = 0.8, eps = 1.0e-2";
  std::vector<std::string> moments = {"exp_avg", "exp_avg_sq"};
  std::vector<std::string> buffer = {"momentum_buffer"};
  std::string fp32 = "optimizer = \"adamw_fp32OptState\", " + adam;
  auto sgdText = [](const char *numbers) {
    return "optimizer = \"sgd\", " + std::string(numbers);
  };
  return {
      {"adamw", "optimizer = \"adamw\", " + adam, moments, adamw},
      {"adamw_fp32OptState", fp32 + ", correct_bias = true", moments,
       adamwFp32<true>},
      {"adamw_fp32OptState_uncorrected", fp32 + ", correct_bias = false",
       moments, adamwFp32<false>},
      {"sgd",
       sgdText("momentum = 0.0, dampening = 0.0, nesterov = false"),
       {},
       sgd(0, 0, false)},
      {"sgd_momentum",
       sgdText("momentum = 0.9, dampening = 0.0, nesterov = false"), buffer,
       sgd(0.9, 0, false)},
      {"sgd_dampening",
       sgdText("momentum = 0.9, dampening = 0.25, nesterov = false"), buffer,
       sgd(0.9, 0.25, false)},
      {"sgd_nesterov",
       sgdText("momentum = 0.9, dampening = 0.0, nesterov = true"), buffer,
       sgd(0.9, 0, true)},
  };
}

/// A step around a loss that is the sum of a matrix and a vector of this type.
std::string stepModule(const std::string &settings, double decay,
                       const std::string &type) {
  std::string w = "tensor<2x3x" + type + ">", b = "tensor<3x" + type + ">",
              scalar = "tensor<" + type + ">";
  return "module attributes {nxdt.train = {" + settings +
         ", weight_decay = " + std::to_string(decay) + "}} {\n" +
         "nxdt.buffer @w {role = \"param\"} : " + w +
         "\nnxdt.buffer @b {role = \"param\"} : " + b +
         "\nfunc.func @forward(%w: " + w + " {nxdt.buffer = @w}, %b: " + b +
         " {nxdt.buffer = @b}) -> (" + scalar + ", tensor<i64>) {\n" +
         "  %0 = nxdt.aten \"aten::sum\"(%w, none) : (" + w + ") -> " + scalar +
         "\n  %1 = nxdt.aten \"aten::sum\"(%b, none) : (" + b + ") -> " +
         scalar + "\n  %2 = nxdt.aten \"aten::add.Tensor\"(%0, %1, 1) : (" +
         scalar + ", " + scalar + ") -> " + scalar +
         "\n  %3 = nxdt.aten \"aten::full\"(array<i64>, 1, i64, none, device, "
         "none) : () -> tensor<i64>\n  return %2, %3 : " +
         scalar + ", tensor<i64>\n}\n}\n";
}

at::Tensor random(std::vector<int64_t> shape, uint64_t seed) {
  Sample sample;
  sample.tensors.push_back({'f', 0, std::move(shape), false, true, {}});
  return makeBases(sample, {DType::F64}, seed)[0];
}
at::Tensor scalar(double value) { return random({}, 1).fill_(value); }

class OptimizerStep : public testing::TestWithParam<Optimizer> {
protected:
  /// Runs five steps in both ways; `type` is the parameters'.
  void check(const std::string &type, bool decayNorms, double tolerance);
};

void OptimizerStep::check(const std::string &type, bool decayNorms,
                          double tolerance) {
  const Optimizer &optimizer = GetParam();
  bool narrow = type == "bf16";
  std::string settings =
      optimizer.settings + (decayNorms ? ", decay_norms = true" : "");
  PlanRun run(compileStep(stepModule(settings, kDecay, type)).plan, {});
  struct Param {
    std::string name;
    at::Tensor expected; ///< f64
    std::vector<std::vector<double>> state;
  };
  std::vector<Param> params;
  for (std::string name : {"w", "b"}) {
    at::Tensor value = name == "w" ? random({2, 3}, 7) : random({3}, 8).add(1);
    std::string master = narrow ? name + ".master" : name;
    run.set(name, value);
    run.set(master, value);
    params.push_back(
        {name, run.buffer(master).to(at::kDouble).clone(),
         std::vector<std::vector<double>>(
             value.numel(), std::vector<double>(optimizer.states.size()))});
  }
  constexpr double scale = 0.25;
  for (int step = 1; step <= kSteps; ++step) {
    double lr = 0.1 / step;
    run.set("lr", scalar(lr));
    run.set("step", scalar(step));
    run.set("grad_scale", scalar(scale));
    for (Param &param : params) {
      run.set(param.name + ".grad",
              random(param.expected.sizes().vec(), 10 * step));
      at::Tensor grad =
          run.buffer(param.name + ".grad").to(at::kDouble).clone();
      double decay = param.name == "w" || decayNorms ? kDecay : 0;
      for (int64_t i = 0; i < grad.numel(); ++i)
        optimizer.update(param.expected.data_ptr<double>()[i],
                         grad.data_ptr<double>()[i] * scale, param.state[i], lr,
                         decay, step);
    }
    run.run("update_step");
    for (Param &param : params) {
      at::Tensor found =
          run.buffer(narrow ? param.name + ".master" : param.name);
      EXPECT_LE(difference(found, param.expected), tolerance)
          << param.name << " after step " << step << "\n"
          << found << "\n"
          << param.expected;
      for (size_t s = 0; s < optimizer.states.size(); ++s) {
        at::Tensor state = param.expected.clone();
        for (int64_t i = 0; i < state.numel(); ++i)
          state.data_ptr<double>()[i] = param.state[i][s];
        EXPECT_LE(difference(run.buffer(param.name + "." + optimizer.states[s]),
                             state),
                  tolerance)
            << param.name << "." << optimizer.states[s] << " after step "
            << step;
      }
      if (narrow) {
        EXPECT_EQ(difference(run.buffer(param.name), found.to(at::kBFloat16)),
                  0)
            << "the weight is its master, cast";
      }
    }
  }
}

TEST_P(OptimizerStep, FollowsItsFormulaInF64) { check("f64", false, 1e-12); }
TEST_P(OptimizerStep, DecaysVectorsIfAsked) { check("f64", true, 1e-12); }
TEST_P(OptimizerStep, FollowsItsFormulaInF32) { check("f32", false, 1e-6); }
TEST_P(OptimizerStep, UpdatesTheF32MasterOfABf16Weight) {
  check("bf16", false, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Step, OptimizerStep, testing::ValuesIn(optimizers()),
                         [](const testing::TestParamInfo<Optimizer> &info) {
                           return info.param.name;
                         });

//===----------------------------------------------------------------------===//
// Norm and clip factor
//===----------------------------------------------------------------------===//

/// nxdt.global_norm and nxdt.clip_scale in f64.
void checkClip(std::optional<double> maxNorm, int64_t count) {
  std::string clip =
      maxNorm ? " {max_norm = " + std::to_string(*maxNorm) + " : f64}" : "";
  PlanRun run(
      compileForward(
          "nxdt.buffer @a {role = \"buffer\"} : tensor<2x3xf64>\n"
          "nxdt.buffer @b {role = \"buffer\"} : tensor<4xf64>\n"
          "nxdt.buffer @n {role = \"buffer\"} : tensor<i64>\n"
          "func.func @forward(%a: tensor<2x3xf64> {nxdt.buffer = @a}, "
          "%b: tensor<4xf64> {nxdt.buffer = @b}, "
          "%n: tensor<i64> {nxdt.buffer = @n}) -> (tensor<f64>, "
          "tensor<f64>, tensor<f64>) {\n"
          "  %0 = nxdt.global_norm(%a, %b) : (tensor<2x3xf64>, "
          "tensor<4xf64>) -> tensor<f64>\n"
          "  %1, %2 = nxdt.clip_scale %0, %n" +
          clip +
          " : tensor<f64>, tensor<i64> -> tensor<f64>, tensor<f64>\n"
          "  return %0, %1, %2 : tensor<f64>, tensor<f64>, tensor<f64>\n"
          "}\n")
          .plan,
      {});
  at::Tensor a = random({2, 3}, 3), b = random({4}, 4);
  run.set("a", a);
  run.set("b", b);
  run.set("n", scalar(count));
  run.run("probe");
  double squares = 0;
  for (const at::Tensor &tensor : {a, b})
    for (int64_t i = 0; i < tensor.numel(); ++i)
      squares += std::pow(tensor.data_ptr<double>()[i], 2);
  double norm = std::sqrt(squares);
  double factor = maxNorm ? std::min(1.0, *maxNorm / (norm / count + 1e-6)) : 1;
  EXPECT_NEAR(run.buffer("out0").item<double>(), norm, 1e-12);
  EXPECT_NEAR(run.buffer("out1").item<double>(), norm / count, 1e-12);
  EXPECT_NEAR(run.buffer("out2").item<double>(), factor / count, 1e-12);
}

TEST(ClipScale, DividesByTheCountWithoutAMaximum) {
  checkClip(std::nullopt, 3);
}
TEST(ClipScale, LeavesSmallGradientsAlone) { checkClip(100.0, 3); }
TEST(ClipScale, ScalesLargeGradientsDown) { checkClip(0.25, 3); }
TEST(ClipScale, IsTightAtTheMaximum) { checkClip(1e-5, 1); }

/// finish_step: the norm before clipping, the scale with it.
TEST(ClipScale, StandsInFinishStep) {
  PlanRun run(
      compileStep(stepModule("optimizer = \"sgd\", momentum = 0.0, dampening = "
                             "0.0, nesterov = false, max_norm = 0.5",
                             0, "f32"))
          .plan,
      {});
  run.set("w.grad", random({2, 3}, 1).fill_(3));
  run.set("b.grad", random({3}, 1).fill_(-4));
  run.set("loss_sum", scalar(10));
  run.set("token_sum", scalar(4));
  run.run("finish_step");
  double norm = std::sqrt(6 * 9.0 + 3 * 16.0) / 4;
  EXPECT_DOUBLE_EQ(run.buffer("loss").item<double>(), 2.5);
  EXPECT_NEAR(run.buffer("grad_norm").item<double>(), norm, 1e-6);
  EXPECT_NEAR(run.buffer("grad_scale").item<double>(), 0.5 / (norm + 1e-6) / 4,
              1e-7);
}

/// A micro-batch's gradients are added up in f32 whatever their type.
TEST(GradAccumulate, AddsUpUnscaledInF32) {
  PlanRun run(
      compileStep(stepModule("optimizer = \"sgd\", momentum = 0.0, dampening = "
                             "0.0, nesterov = false",
                             0, "bf16"))
          .plan,
      {});
  run.run("begin_step");
  // 257 is no bf16: the sum is not kept in the gradient's type.
  for (int i = 0; i < 257; ++i)
    run.run("train_step");
  EXPECT_EQ(run.buffer("w.grad").scalar_type(), at::kFloat);
  EXPECT_EQ(difference(run.buffer("w.grad"), random({2, 3}, 1).fill_(257)), 0);
  EXPECT_EQ(run.buffer("token_sum").item<int64_t>(), 257);
  run.run("begin_step");
  EXPECT_EQ(difference(run.buffer("w.grad"), random({2, 3}, 1).fill_(0)), 0);
}

} // namespace
