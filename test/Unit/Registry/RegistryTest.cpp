//===- RegistryTest.cpp - every registry entry against libtorch -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One test per entry and question, named after the operator. Types, aliasing
// and gradients are libtorch's; gradients are also those of central
// differences. An entry without samples fails.
//
//===----------------------------------------------------------------------===//
#include "Compiler.h"
#include "Oracle.h"

#include "ATen/Parallel.h"
#include "ATen/core/grad_mode.h"
#include "ATen/ops/zeros_like.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace nxdt::test;
using nxdt::plan::DType;

namespace {

/// Everything here is tiny: threads would only wait for each other.
[[maybe_unused]] const bool kOneThread = (at::set_num_threads(1), true);

/// A sample with types for its tensors.
struct Variant {
  Sample sample;
  std::vector<DType> dtypes;
  bool isPlain = false; ///< all free tensors f64

  std::string name() const {
    std::string text = sample.callee + "(" + sample.text + ") with";
    for (DType dtype : dtypes)
      text += " " + std::string(nxdt::plan::name(dtype));
    return text;
  }
  /// Whether differences say the same as autograd must.
  bool isSmooth() const {
    return !sample.isConvention &&
           std::none_of(
               sample.tensors.begin(), sample.tensors.end(),
               [](const TensorSpec &spec) { return spec.kind == 'g'; });
  }
};

std::vector<Variant> variantsOf(const Sample &sample) {
  std::vector<Variant> variants = {
      {sample, dtypesOf(sample, {DType::F64}), true}};
  size_t free =
      std::count_if(sample.tensors.begin(), sample.tensors.end(),
                    [](const TensorSpec &spec) { return spec.isFree(); });
  std::vector<std::vector<DType>> cycles;
  if (free)
    for (DType dtype : {DType::F32, DType::BF16, DType::F16, DType::I64,
                        DType::I32, DType::U8, DType::Bool})
      cycles.push_back({dtype});
  if (free > 1)
    cycles.insert(cycles.end(), {{DType::BF16, DType::F32},
                                 {DType::F32, DType::BF16},
                                 {DType::F32, DType::F64},
                                 {DType::BF16, DType::F16},
                                 {DType::I64, DType::F32},
                                 {DType::F32, DType::I64},
                                 {DType::Bool, DType::I64},
                                 {DType::I64, DType::I32},
                                 {DType::U8, DType::I32},
                                 {DType::Bool, DType::BF16}});
  if (free > 2)
    cycles.push_back({DType::BF16, DType::F32, DType::F64});
  for (const std::vector<DType> &cycle : cycles)
    variants.push_back({sample, dtypesOf(sample, cycle), false});
  return variants;
}

std::vector<TensorType> typesOf(const Variant &variant) {
  std::vector<TensorType> types;
  for (size_t i = 0; i < variant.dtypes.size(); ++i)
    types.push_back({variant.dtypes[i], variant.sample.tensors[i].shape});
  return types;
}

std::string shown(const std::vector<TensorType> &types) {
  std::string text;
  for (const TensorType &type : types)
    text += toString(type) + " ";
  return text;
}

/// A call that libtorch has run.
struct Ran {
  std::vector<at::Tensor> bases, tensors, results;
  std::vector<TensorType> resultTypes;
};
/// nullopt if libtorch refuses the types.
std::optional<Ran> runVariant(const Variant &variant, std::string &why) {
  at::AutoGradMode mode(false);
  Ran ran;
  ran.bases = makeBases(variant.sample, variant.dtypes, 1);
  ran.tensors = viewBases(variant.sample, ran.bases);
  try {
    ran.results = callOperator(variant.sample, ran.tensors);
  } catch (const c10::Error &error) {
    why = error.what_without_backtrace();
    return std::nullopt;
  } catch (const std::runtime_error &error) {
    why = error.what(); // a number that the type does not hold
    return std::nullopt;
  }
  for (const at::Tensor &result : ran.results)
    ran.resultTypes.push_back(typeOf(result));
  return ran;
}

std::vector<Variant> variantsFor(const std::string &callee) {
  std::vector<Variant> variants;
  auto it = sampleTable().find(callee);
  if (it == sampleTable().end() || it->second.empty()) {
    ADD_FAILURE() << "no samples of " << callee
                  << " (the tables in test/Unit/Registry/Samples*.cpp)";
    return variants;
  }
  for (const std::string &text : it->second) {
    Sample sample = parseSample(callee, text);
    fillBySchema(sample);
    for (Variant &variant : variantsOf(sample))
      variants.push_back(std::move(variant));
  }
  return variants;
}

class Entry : public testing::TestWithParam<std::string> {};
class EntryWithGradient : public Entry {};
class EntryWithoutGradient : public Entry {};

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

TEST_P(Entry, InfersTheTypesOfLibtorch) {
  for (const Variant &variant : variantsFor(GetParam())) {
    std::string why;
    std::optional<Ran> ran = runVariant(variant, why);
    if (!ran) {
      EXPECT_FALSE(variant.isPlain) << variant.name() << ": " << why;
      continue;
    }
    auto inferred =
        inferResults(variant.sample, typesOf(variant), ran->resultTypes);
    if (!inferred) {
      ADD_FAILURE() << variant.name() << ": infer refuses, libtorch gives "
                    << shown(ran->resultTypes);
      continue;
    }
    EXPECT_EQ(shown(*inferred), shown(ran->resultTypes)) << variant.name();
    EXPECT_GE(flopsOf(variant.sample, typesOf(variant), ran->resultTypes), 0);
  }
}

//===----------------------------------------------------------------------===//
// Aliasing
//===----------------------------------------------------------------------===//

bool sharesStorage(const at::Tensor &a, const at::Tensor &b) {
  return a.storage().data() == b.storage().data();
}

TEST_P(Entry, SharesMemoryAsItSays) {
  EntryFacts facts = factsOf(GetParam());
  for (const Variant &variant : variantsFor(GetParam())) {
    std::string why;
    std::optional<Ran> ran = runVariant(variant, why);
    if (!ran || ran->tensors.empty())
      continue;
    for (const at::Tensor &result : ran->results) {
      if (result.numel() == 0)
        continue;
      bool shared = false;
      for (const at::Tensor &tensor : ran->tensors)
        shared |= sharesStorage(result, tensor);
      bool expected = facts.aliasing == EntryFacts::View;
      if (facts.returnsSelfIfSameType)
        expected = typeOf(result) == typeOf(ran->tensors[0]);
      else if (facts.aliasing == EntryFacts::MaybeView &&
               ran->tensors[0].is_contiguous())
        expected = true;
      else if (facts.aliasing == EntryFacts::MaybeView)
        continue; // depends on strides
      EXPECT_EQ(shared, expected) << variant.name();
      if (expected) {
        EXPECT_TRUE(sharesStorage(result, ran->tensors[0])) << variant.name();
      }
      if (facts.keepsOrder && ran->tensors[0].is_contiguous()) {
        EXPECT_TRUE(result.is_contiguous()) << variant.name();
        EXPECT_EQ(result.numel(), ran->tensors[0].numel()) << variant.name();
      }
    }
  }
}

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//

std::vector<bool> wantedOf(const Variant &variant) {
  std::vector<bool> wanted;
  for (size_t i = 0; i < variant.dtypes.size(); ++i)
    wanted.push_back(variant.sample.tensors[i].wanted &&
                     isFloat(variant.dtypes[i]));
  return wanted;
}

Function functionOf(const Variant &variant) {
  return [variant](const std::vector<at::Tensor> &bases) {
    return callOperator(variant.sample, viewBases(variant.sample, bases));
  };
}

/// How far gradients may lie from libtorch's: both round in the narrowest type.
double toleranceOf(const std::vector<TensorType> &types) {
  double tolerance = 1e-10;
  for (const TensorType &type : types)
    tolerance = std::max(tolerance, type.dtype == DType::BF16  ? 4e-2
                                    : type.dtype == DType::F16 ? 5e-3
                                    : type.dtype == DType::F32 ? 1e-5
                                                               : 0.0);
  return tolerance;
}

void checkGradients(const Variant &variant, const Ran &ran, size_t first) {
  std::vector<bool> wanted = wantedOf(variant);
  std::vector<at::Tensor> cotangents = makeCotangents(ran.results, 2);
  for (size_t i = 0; i < first; ++i)
    cotangents[i] = at::Tensor();
  std::vector<at::Tensor> expected;
  try {
    expected = autogradOf(functionOf(variant), ran.bases, wanted, cotangents);
  } catch (const c10::Error &error) {
    // Some backward kernels know fewer types than their forward.
    if (variant.isPlain)
      throw std::runtime_error(error.what_without_backtrace());
    return;
  }

  Compiled compiled = compileGradients(
      lossModule(variant.sample, typesOf(variant), ran.resultTypes, first));
  EXPECT_EQ(compiled.fallbacks, 0) << compiled.remarks;
  std::vector<std::pair<std::string, at::Tensor>> buffers;
  for (size_t i = 0; i < ran.bases.size(); ++i)
    buffers.emplace_back("t" + std::to_string(i), ran.bases[i]);
  for (size_t i = 0; i < cotangents.size(); ++i)
    if (cotangents[i].defined())
      buffers.emplace_back("c" + std::to_string(i), cotangents[i]);
  PlanRun run(std::move(compiled.plan), buffers);
  run.run("probe");

  std::vector<TensorType> all = typesOf(variant);
  all.insert(all.end(), ran.resultTypes.begin(), ran.resultTypes.end());
  double tolerance = toleranceOf(all);
  bool isExact =
      std::none_of(all.begin(), all.end(), [](const TensorType &type) {
        return isFloat(type.dtype) && type.dtype != DType::F64;
      });
  for (size_t i = 0; i < ran.bases.size(); ++i) {
    if (!wanted[i])
      continue;
    at::Tensor found =
        run.buffer("t" + std::to_string(i) + ".gradient").clone();
    EXPECT_LE(difference(found, expected[i]), tolerance)
        << variant.name() << ": operand " << i << "\nfound " << found
        << "\nautograd " << expected[i] << "\n"
        << compiled.ir;
    if (!isExact || !variant.isSmooth())
      continue;
    std::vector<bool> one(wanted.size());
    one[i] = true;
    at::Tensor differences =
        differencesOf(functionOf(variant), ran.bases, one, cotangents)[i];
    EXPECT_LE(difference(found, differences), 1e-6)
        << variant.name() << ": operand " << i << "\nfound " << found
        << "\ndifferences " << differences << "\n"
        << compiled.ir;
  }
}

TEST_P(EntryWithGradient, HasTheGradientsOfAutograd) {
  int checked = 0;
  for (const Variant &variant : variantsFor(GetParam())) {
    std::string why;
    std::optional<Ran> ran = runVariant(variant, why);
    std::vector<bool> wanted = wantedOf(variant);
    bool any = std::find(wanted.begin(), wanted.end(), true) != wanted.end();
    if (!ran || !any ||
        std::none_of(ran->resultTypes.begin(), ran->resultTypes.end(),
                     [](const TensorType &t) { return isFloat(t.dtype); }))
      continue;
    try {
      checkGradients(variant, *ran, 0);
      // The same if only the last result is used.
      size_t last = ran->resultTypes.size() - 1;
      if (last > 0 && isFloat(ran->resultTypes[last].dtype))
        checkGradients(variant, *ran, last);
    } catch (const std::exception &error) {
      ADD_FAILURE() << variant.name() << ": " << error.what();
    }
    checked += variant.isPlain;
  }
  EXPECT_GT(checked, 0) << "no sample wants a gradient";
}

/// A result that does not depend on its operands differentiably has no
/// gradient in libtorch, or one that is zero (sgn).
TEST_P(EntryWithoutGradient, HasNoneInLibtorchEither) {
  for (const Variant &variant : variantsFor(GetParam())) {
    std::string why;
    std::optional<Ran> ran = runVariant(variant, why);
    if (!ran || !variant.isPlain)
      continue;
    std::vector<at::Tensor> gradients =
        autogradOf(functionOf(variant), ran->bases, wantedOf(variant),
                   makeCotangents(ran->results, 2));
    for (const at::Tensor &gradient : gradients)
      if (gradient.defined()) {
        EXPECT_EQ(difference(gradient, at::zeros_like(gradient)), 0)
            << variant.name() << "\n"
            << gradient;
      }
  }
}

//===----------------------------------------------------------------------===//
// Calls that are not legal
//===----------------------------------------------------------------------===//

TEST(RegistryTable, RefusesWhatLibtorchRefuses) {
  SampleTable refused;
  addSampleRows(refused, R"(
add.Tensor mul.Tensor maximum | f[2], f[3]
matmul | f[2,3], f[2,3] | f[2,3], f[4] | f[], f[2] | f[2,2,3], f[3,3,4]
mm | f[2,3], f[3] | f[2,3], f[2,3]
bmm | f[2,2,3], f[3,3,4] | f[2,3], f[3,2]
dot | f[2], f[3]
linear | f[2,3], f[4,2]
view reshape | f[2,3], (4) | f[2,3], (-1,-1) | f[2,3], (-1,4)
expand | f[3], (2,4) | f[2,3], (3)
permute | f[2,3], (0,0) | f[2,3], (0)
transpose.int | f[2,3], 0, 2 | f[2,3], -3, 0
unsqueeze | f[2], 3
slice.Tensor | f[3], 1 | f[3], 0, 0, 1, 0
narrow | f[3], 0, 2, 2 | f[3], 0, 4, 0 | f[3], 0, 0, -1
select.int | f[3], 0, 3 | f[3], 0, -4 | f[], 0, 0
cat | [f[2,3], f[2,2]], 0 | [f[2], f[2,2]], 0 | [f[], f[]]
stack | [f[2], f[3]]
split.Tensor | f[3], -1
split_with_sizes split.sizes | f[5], (2,2) | f[2], (-1,3)
chunk | f[3], 0
sum.dim_IntList amax logsumexp | f[2,3], (2) | f[2,3], (0,0)
softmax.int | f[2,3], 2
layer_norm | f[2,3], (2) | f[2,3], (2,3), f[3]
rms_norm | f[2,3], (4)
group_norm | f[2,4], 3
gather | f[3,4], 2, i3[3,4] | f[3,4], 0, f[3,4] | f[3], 0, i3[2,2]
index_select | f[3,4], 0, i3[2,2]
index.Tensor | f[3,4], [i3[2], i3[3]] | f[3], [i3[2], i3[2]]
embedding | f[5], i5[2] | f[5,3], f[2]
topk | f[3], 4
unfold | f[3], 0, 4, 1
glu | f[3]
triu | f[3]
addmm | f[2,3], f[2,3], f[3,4]
repeat | f[2,3], (2)
masked_fill.Scalar | f[2], f[2], 0
where.self | f[2]!, f[2], f[2]
movedim.int | f[2,3], 2, 0
flatten.using_ints | f[2,3,4], 2, 1
squeeze.dim | f[2,3], 2
diagonal | f[3] | f[3,3], 0, 0, 0
constant_pad_nd | f[3], (1,1,1,1) | f[3], (1)
arange.start | 5, 2
max.dim | f[2,3], 2
linalg_vector_norm | f[2,3], 2, (2)
)");
  for (const auto &[callee, samples] : refused)
    for (const std::string &text : samples) {
      Sample sample = parseSample(callee, text);
      fillBySchema(sample);
      Variant variant{sample, dtypesOf(sample, {DType::F64}), true};
      std::string why;
      EXPECT_FALSE(runVariant(variant, why)) << variant.name();
      auto inferred = inferResults(sample, typesOf(variant), {TensorType{}});
      EXPECT_FALSE(inferred) << variant.name() << " as " << shown(*inferred);
    }
}

//===----------------------------------------------------------------------===//
// The table itself
//===----------------------------------------------------------------------===//

TEST(RegistryTable, HasNoSamplesOfUnregisteredOperators) {
  std::vector<std::string> callees = registeredCallees();
  for (const auto &[callee, samples] : sampleTable())
    EXPECT_NE(std::find(callees.begin(), callees.end(), callee), callees.end())
        << callee;
}

TEST(RegistryTable, EveryEntryKnowsItsTypes) {
  for (const std::string &callee : registeredCallees()) {
    EXPECT_TRUE(factsOf(callee).hasInfer) << callee;
    EXPECT_FALSE(factsOf(callee).hasVjp && factsOf(callee).noGradient)
        << callee;
  }
}

std::vector<std::string> calleesWhere(bool (*predicate)(const EntryFacts &)) {
  std::vector<std::string> found;
  for (const std::string &callee : registeredCallees())
    if (predicate(factsOf(callee)))
      found.push_back(callee);
  return found;
}

std::string testName(const testing::TestParamInfo<std::string> &info) {
  std::string name = info.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Registry, Entry,
                         testing::ValuesIn(registeredCallees()), testName);
INSTANTIATE_TEST_SUITE_P(Registry, EntryWithGradient,
                         testing::ValuesIn(calleesWhere(
                             [](const EntryFacts &f) { return f.hasVjp; })),
                         testName);
INSTANTIATE_TEST_SUITE_P(Registry, EntryWithoutGradient,
                         testing::ValuesIn(calleesWhere(
                             [](const EntryFacts &f) { return f.noGradient; })),
                         testName);

} // namespace
