//===- ModuleTest.cpp - the captured module in MLIR -----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Shapes.h"

#include "Capture/EmitModule.h"
#include "Nxdt/IR/Nxdt.h"
#include "nxdt/Capture/Capture.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>

using namespace mlir;
using namespace nxdt;
using namespace nxdt::test;

namespace {
struct Result {
  OwningOpRef<ModuleOp> module;
  /// "path: message" of each diagnostic.
  std::string diagnostics;
};
} // namespace

static Result run(MLIRContext &context, const CaptureRequest &request) {
  Result result;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (auto name = dyn_cast<NameLoc>(diagnostic.getLocation()))
      result.diagnostics += name.getName().str();
    result.diagnostics += ": " + diagnostic.str() + "\n";
    return success();
  });
  Operation *op = nullptr;
  if (nxdt_capture(&context, &request, &op))
    result.module = cast<ModuleOp>(op);
  return result;
}

static CaptureRequest tinyRequest() {
  CaptureRequest request;
  request.model.llama = tinyLlama();
  request.microBatchSize = 2;
  request.sequenceLength = 8;
  return request;
}

static std::string print(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, OpPrintingFlags().enableDebugInfo(true, false));
  return text;
}

TEST(CapturedModule, VerifiesAndRoundTrips) {
  for (Precision precision : {Precision::Fp32, Precision::MixedPrecision}) {
    MLIRContext context;
    CaptureRequest request = tinyRequest();
    request.precision = precision;
    Result result = run(context, request);
    ASSERT_TRUE(result.module) << result.diagnostics;
    EXPECT_EQ(result.diagnostics, "");
    ASSERT_TRUE(succeeded(verify(*result.module)));
    std::string text = print(*result.module);
    auto again = parseSourceString<ModuleOp>(text, &context);
    ASSERT_TRUE(again);
    EXPECT_EQ(print(*again), text);
  }
}

TEST(CapturedModule, TwiceTheSameBytes) {
  std::string texts[2];
  for (std::string &text : texts) {
    MLIRContext context;
    Result result = run(context, tinyRequest());
    ASSERT_TRUE(result.module) << result.diagnostics;
    text = print(*result.module);
  }
  EXPECT_EQ(texts[0], texts[1]);
}

TEST(CapturedModule, Contract) {
  MLIRContext context;
  Result result = run(context, tinyRequest());
  ASSERT_TRUE(result.module) << result.diagnostics;
  EXPECT_FALSE(result.module->lookupSymbol<func::FuncOp>("init"));
  auto forward = result.module->lookupSymbol<func::FuncOp>("forward");
  ASSERT_TRUE(forward);
  auto buffers = llvm::to_vector(result.module->getOps<BufferOp>());
  ASSERT_EQ(buffers.size(), forward.getNumArguments());
  for (auto [i, buffer] : llvm::enumerate(buffers)) {
    auto name =
        forward.getArgAttrOfType<FlatSymbolRefAttr>(i, kBufferAttr).getValue();
    EXPECT_EQ(name, buffer.getSymName());
    EXPECT_EQ(forward.getArgumentTypes()[i], buffer.getTensorType());
    EXPECT_EQ(buffer.getRole(), name == "input_ids" ? "input" : "param");
    EXPECT_EQ(buffer.getInit().has_value(), name != "input_ids");
  }
  EXPECT_EQ(buffers.back().getSymName(), "input_ids");
  ASSERT_EQ(forward.getNumResults(), 1u);
  EXPECT_EQ(forward.getResultTypes()[0],
            RankedTensorType::get({2, 8, 48}, Float32Type::get(&context)));
  // Exactly the names that Hugging Face has.
  std::vector<std::string> expected = {"model.embed_tokens.weight"};
  for (std::string layer : {"0", "1"})
    for (std::string name :
         {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
          "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
          "input_layernorm", "post_attention_layernorm"})
      expected.push_back("model.layers." + layer + "." + name + ".weight");
  expected.insert(expected.end(),
                  {"model.norm.weight", "lm_head.weight", "input_ids"});
  std::vector<std::string> names;
  for (BufferOp buffer : buffers)
    names.push_back(buffer.getSymName().str());
  EXPECT_EQ(names, expected);
}

TEST(CapturedModule, Locations) {
  MLIRContext context;
  Result result = run(context, tinyRequest());
  ASSERT_TRUE(result.module);
  std::map<std::string, std::string> pathOf;
  result.module->walk([&](AtenOp op) {
    auto location = dyn_cast<NameLoc>(op.getLoc());
    ASSERT_TRUE(location) << op.getCallee().str();
    pathOf.try_emplace(op.getCallee().str(), location.getName().str());
  });
  EXPECT_EQ(pathOf["aten::embedding"], "model.embed_tokens");
  EXPECT_EQ(pathOf["aten::triu"], "model");
  EXPECT_EQ(pathOf["aten::rsqrt"], "model.layers.0.input_layernorm");
  EXPECT_EQ(pathOf["aten::linear"], "model.layers.0.self_attn.q_proj");
  EXPECT_EQ(pathOf["aten::softmax.int"], "model.layers.0.self_attn");
  EXPECT_EQ(pathOf["aten::silu"], "model.layers.0.mlp");
}

TEST(CapturedModule, TiedEmbeddings) {
  MLIRContext context;
  CaptureRequest request = tinyRequest();
  request.model.llama.tieWordEmbeddings = true;
  request.precision = Precision::MixedPrecision;
  Result result = run(context, request);
  ASSERT_TRUE(result.module) << result.diagnostics;
  auto embedding =
      result.module->lookupSymbol<BufferOp>("model.embed_tokens.weight");
  ASSERT_TRUE(embedding && embedding.getTied());
  ASSERT_EQ(embedding.getTied()->size(), 1u);
  EXPECT_EQ(cast<StringAttr>((*embedding.getTied())[0]), "lm_head.weight");
  EXPECT_FALSE(result.module->lookupSymbol<BufferOp>("lm_head.weight"));
}

TEST(CapturedModule, Biases) {
  MLIRContext context;
  CaptureRequest request = tinyRequest();
  request.model.llama.attentionBias = true;
  request.model.llama.mlpBias = true;
  Result result = run(context, request);
  ASSERT_TRUE(result.module) << result.diagnostics;
  for (StringRef name : {"self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj"})
    EXPECT_TRUE(result.module->lookupSymbol<BufferOp>(
        ("model.layers.1." + name + ".bias").str()));
}

TEST(CapturedModule, Gigantic) {
  MLIRContext context;
  CaptureRequest request;
  request.model.llama = llama405b();
  request.sequenceLength = 8192;
  auto start = std::chrono::steady_clock::now();
  Result result = run(context, request);
  std::chrono::duration<double> elapsed =
      std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(result.module) << result.diagnostics;
  // 0.2 s on two cores of a laptop; generous, as tests run side by side.
  EXPECT_LT(elapsed.count(), 10.0);
}

TEST(CapturedModule, BuffersAndWarnings) {
  // What the torch half hands over, by hand.
  capture::CapturedModel model;
  capture::ValueType type{capture::ElementType::F32, {2}};
  model.init.values = {type};
  model.init.ops.push_back(
      {"aten::ones",
       {std::vector<int64_t>{2}, capture::ElementType::F32, capture::NoneArg(),
        capture::DeviceArg(), capture::NoneArg()},
       {},
       {0},
       {},
       {-1},
       false,
       ""});
  capture::CapturedBuffer buffer;
  buffer.name = "counter";
  buffer.type = type;
  buffer.initValue = 0;
  buffer.value = 0;
  buffer.isMutated = true;
  model.buffers = {buffer};
  model.forward.values = {type,
                          {capture::ElementType::I64, {1, 2}},
                          {capture::ElementType::F32, {1, 2, 2}},
                          type};
  model.inputIds = 1;
  model.logits = 2;
  model.forward.ops.push_back({"aten::add_.Scalar",
                               {capture::OperandArg(), int64_t(1), int64_t(1)},
                               {0},
                               {3},
                               {0},
                               {0},
                               true,
                               "a.b"});
  model.forward.ops.push_back(
      {"test::op",
       {capture::OperandListArg{{true, false, true}}, std::string("x"),
        std::vector<double>{0.5}, std::vector<bool>{true, false}},
       {1, 0},
       {2},
       {},
       {-1},
       false,
       ""});
  MLIRContext context;
  OwningOpRef<ModuleOp> module = capture::emitModule(&context, model);
  ASSERT_TRUE(succeeded(verify(*module)));
  EXPECT_EQ(print(*module), R"(#loc1 = loc("counter")
#loc2 = loc("input_ids")
module {
  nxdt.buffer @counter {role = "buffer"} : tensor<2xf32> loc(#loc1)
  nxdt.buffer @input_ids {role = "input"} : tensor<1x2xi64> loc(#loc2)
  func.func @init() -> (tensor<2xf32> {nxdt.buffer = @counter}) {
    %0 = nxdt.aten "aten::ones"(array<i64: 2>, f32, none, device, none) : () -> tensor<2xf32> loc(#loc)
    return %0 : tensor<2xf32> loc(#loc3)
  } loc(#loc3)
  func.func @forward(%arg0: tensor<2xf32> {nxdt.buffer = @counter} loc("counter"), %arg1: tensor<1x2xi64> {nxdt.buffer = @input_ids} loc("input_ids")) -> (tensor<1x2x2xf32>, tensor<2xf32> {nxdt.buffer = @counter}) {
    %0 = nxdt.aten "aten::add_.Scalar"(%arg0, 1, 1) {mutates = array<i32: 0>, no_grad, views = array<i32: 0>} : (tensor<2xf32>) -> tensor<2xf32> loc(#loc5)
    %1 = nxdt.aten "test::op"([%arg1, none, %arg0], "x", array<f64: 5.000000e-01>, array<i1: true, false>) : (tensor<1x2xi64>, tensor<2xf32>) -> tensor<1x2x2xf32> loc(#loc)
    return %1, %arg0 : tensor<1x2x2xf32>, tensor<2xf32> loc(#loc4)
  } loc(#loc4)
} loc(#loc)
#loc = loc(unknown)
#loc3 = loc("init")
#loc4 = loc("forward")
#loc5 = loc("a.b")
)");
}

//===----------------------------------------------------------------------===//
// Refusals
//===----------------------------------------------------------------------===//

static std::string refusal(const CaptureRequest &request) {
  MLIRContext context;
  Result result = run(context, request);
  EXPECT_FALSE(result.module);
  return result.diagnostics;
}

TEST(CapturedModule, HeadsThatDoNotDivide) {
  CaptureRequest request = tinyRequest();
  request.model.llama.numKeyValueHeads = 3;
  EXPECT_EQ(refusal(request),
            ": model: num_key_value_heads is 3, but num_attention_heads is 4 "
            "and 4 % 3 = 1; legal are 1, 2, 4\n");
  request = tinyRequest();
  request.model.llama.headDim = 5;
  EXPECT_NE(refusal(request).find("head_dim is 5"), std::string::npos);
  request = tinyRequest();
  request.model.llama.vocabSize = 0;
  EXPECT_NE(refusal(request).find("vocab_size is 0"), std::string::npos);
  request = tinyRequest();
  request.sequenceLength = 0;
  EXPECT_NE(refusal(request).find("encoder_seq_length is 0"),
            std::string::npos);
}

TEST(CapturedModule, PluginThatIsNone) {
  CaptureRequest request = tinyRequest();
  request.model.plugin = "/nonexistent/libmine.so";
  std::string text = refusal(request);
  EXPECT_NE(
      text.find("model.plugin: /nonexistent/libmine.so: cannot be loaded"),
      std::string::npos)
      << text;
  request.model.plugin = NXDT_TEST_NOT_A_PLUGIN;
  text = refusal(request);
  EXPECT_NE(text.find("has no symbol 'nxdt_model_plugin'"), std::string::npos)
      << text;
  request.model.plugin = NXDT_TEST_OTHER_ABI;
  text = refusal(request);
  EXPECT_NE(text.find("was built for 'nxdt model ABI 0, torch 1.0.0, "
                      "something', this is 'nxdt model ABI 1, torch 2.11.0"),
            std::string::npos)
      << text;
}

TEST(CapturedModule, Version) {
  EXPECT_EQ(nxdt_capture_version(), kCaptureVersion);
}
