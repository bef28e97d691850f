//===- ReadableTextTest.cpp - readable text is the same module ------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ReadableText.h"

#include "Nxdt/IR/Nxdt.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"

#include <gtest/gtest.h>

using namespace mlir;

namespace {
class ReadableTextTest : public testing::Test {
protected:
  ReadableTextTest() {
    context.loadDialect<nxdt::NxdtDialect, func::FuncDialect>();
  }

  /// As MLIR prints it, with locations.
  std::string print(llvm::StringRef text) {
    auto module = parseSourceString<ModuleOp>(text, &context);
    EXPECT_TRUE(module) << text.str();
    std::string printed;
    if (!module)
      return printed;
    llvm::raw_string_ostream os(printed);
    OpPrintingFlags flags;
    flags.enableDebugInfo();
    module->print(os, flags);
    return printed;
  }

  /// The readable form, which must be the same module.
  std::string readable(llvm::StringRef text) {
    std::string printed = print(text);
    std::string result = nxdt::readableText(printed);
    EXPECT_EQ(print(result), printed) << result;
    return result;
  }

  MLIRContext context;
};
} // namespace

static bool contains(const std::string &text, llvm::StringRef part) {
  return llvm::StringRef(text).contains(part);
}

TEST_F(ReadableTextTest, ArgumentsHaveTheNamesOfTheirBuffers) {
  std::string text = readable(R"(
    func.func @f(%a: tensor<2xf32> {nxdt.buffer = @model.w},
                 %b: tensor<2xf32> {nxdt.buffer = @x}) -> tensor<2xf32> {
      %0 = nxdt.aten "aten::add.Tensor"(%a, %b, 1)
          : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
      return %0 : tensor<2xf32>
    })");
  EXPECT_TRUE(contains(text, R"("aten::add.Tensor"(%model.w, %x, 1))")) << text;
  EXPECT_FALSE(contains(text, "%arg")) << text;
}

TEST_F(ReadableTextTest, TakenNamesGetASuffixAndWhatIsNoNameStays) {
  // A result that MLIR names %grad_norm, a number, a quoted name, two
  // arguments of one buffer, and an argument without a buffer.
  std::string text = readable(R"(
    func.func @f(%a: tensor<f32> {nxdt.buffer = @grad_norm},
                 %b: tensor<f32> {nxdt.buffer = @"0.w"},
                 %c: tensor<f32> {nxdt.buffer = @"a b"},
                 %d: tensor<f32> {nxdt.buffer = @x},
                 %e: tensor<f32> {nxdt.buffer = @x},
                 %f: tensor<i64>) -> tensor<f32> {
      %g, %s = nxdt.clip_scale %a, %f {max_norm = 1.0 : f64}
          : tensor<f32>, tensor<i64> -> tensor<f32>, tensor<f32>
      return %g : tensor<f32>
    })");
  for (llvm::StringRef kept :
       {"%grad_norm.in:", "%arg1:", "%arg2:", "%x:", "%x.in:", "%arg5:"})
    EXPECT_TRUE(contains(text, kept)) << kept.str() << '\n' << text;
}

TEST_F(ReadableTextTest, EachProgramHasItsOwnNames) {
  std::string text = readable(R"(
    func.func @f(%a: tensor<f32> {nxdt.buffer = @x}) -> tensor<f32> {
      return %a : tensor<f32>
    }
    func.func @g(%a: tensor<f32> {nxdt.buffer = @y}) -> tensor<f32> {
      return %a : tensor<f32>
    })");
  EXPECT_TRUE(contains(text, "return %x")) << text;
  EXPECT_TRUE(contains(text, "return %y")) << text;
}

TEST_F(ReadableTextTest, LocationsStandWhereTheyAreUsed) {
  std::string text = readable(R"(
    func.func @f(%a: tensor<f32> loc("w")) -> tensor<f32> {
      return %a : tensor<f32> loc("model.norm")
    } loc(fused["f", "g"]))");
  EXPECT_TRUE(contains(text, R"(loc("model.norm"))")) << text;
  EXPECT_TRUE(contains(text, R"(fused["f", "g"])")) << text;
}

TEST_F(ReadableTextTest, StringsStayAsTheyAre) {
  llvm::StringRef attribute =
      R"("loc(#loc1), %arg0: {nxdt.buffer = @x} \22 -> ( #mesh")";
  std::string text =
      readable(("func.func @f(%a: tensor<f32> {nxdt.buffer = @w}) -> "
                "tensor<f32> attributes {note = " +
                attribute + "} { return %a : tensor<f32> loc(\"m\") }")
                   .str());
  EXPECT_TRUE(contains(text, attribute)) << text;
}

TEST_F(ReadableTextTest, SignaturesHaveAnArgumentALine) {
  std::string arguments, types, values;
  for (int i = 0; i < 12; ++i) {
    std::string n = std::to_string(i);
    arguments += (i ? ", %v" : "%v") + n +
                 ": tensor<8x16xf32> {nxdt.buffer = @layers." + n + "}";
    types += std::string(i ? ", " : "") + "tensor<8x16xf32>";
    values += (i ? ", %v" : "%v") + n;
  }
  std::string text = readable("func.func @f(" + arguments + ") -> (" + types +
                              ") { return " + values + " : " + types + " }");
  EXPECT_TRUE(contains(text, "\n      %layers.3: tensor<8x16xf32> {")) << text;
  EXPECT_TRUE(contains(text, "\n  ) -> (\n      tensor<8x16xf32>,\n")) << text;
  llvm::SmallVector<llvm::StringRef> lines;
  llvm::StringRef(text).split(lines, '\n');
  for (llvm::StringRef line : lines)
    EXPECT_LE(line.size(), nxdt::kReadableColumns) << line.str();
}

TEST_F(ReadableTextTest, LongSignaturesOfEveryKind) {
  std::string name(120, 'n');
  readable("func.func @" + name + "() { return }");
  readable("func.func @" + name +
           "(%a: tensor<f32>) -> tensor<f32> { return %a : tensor<f32> }");
  readable("func.func @" + name +
           "(%a: tensor<f32>) attributes {note = \"a, b\"} { return }");
}

TEST_F(ReadableTextTest, LongLinesAreBrokenOutsideOfTypes) {
  std::string text = readable(R"(
    #mesh = #nxdt.mesh<dp = 2, tp = 2>
    module attributes {nxdt.rules = [{name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", dims = [1, 2, 3]},
                                {name = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", dims = [1, 2, 3]}]} {
    func.func @f(%a: tensor<8x64x64x64xf32, #nxdt.sharding<#mesh, [[dp], [tp], [], []]>>) {
      %0 = nxdt.reshard %a {reason = "a value that is needed whole, said in the words of a long sentence"}
          : tensor<8x64x64x64xf32, #nxdt.sharding<#mesh, [[dp], [tp], [], []]>>
          -> tensor<8x64x64x64xf32, #nxdt.sharding<#mesh, [[dp], [], [], []]>>
      return
    }
    })");
  EXPECT_TRUE(contains(text, "\n        : tensor<8x64x64x64xf32, #dp-tp-_-_>"))
      << text;
  llvm::SmallVector<llvm::StringRef> lines;
  llvm::StringRef(text).split(lines, '\n');
  for (llvm::StringRef line : lines) {
    EXPECT_LE(line.size(), nxdt::kReadableColumns) << line.str();
    EXPECT_EQ(line.count('<'), line.count('>') - line.count("->"))
        << line.str();
  }
}
