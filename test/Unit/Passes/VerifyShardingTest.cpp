//===- VerifyShardingTest.cpp - types that no factory made ----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A release build of MLIR does not verify encodings when a type is made, so a
// pass could make one that no parser accepts.
//
//===----------------------------------------------------------------------===//
#include "nxdt/Passes/Passes.h"

#include "Nxdt/IR/Sharding.h"
#include "mlir/IR/Builders.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace nxdt;

namespace {

constexpr const char *kProgram = R"(
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @x {role = "input"} : !t
  nxdt.buffer @y {role = "scalar"} : !t
  func.func @f(%x: !t {nxdt.buffer = @x}) -> (!t {nxdt.buffer = @y}) {
    %0 = nxdt.aten "aten::exp"(%x) : (!t) -> !t
    return %0 : !t
  }
})";

/// Runs the pass after `encoding` has become that of every type; what it says.
std::string verifyWith(
    llvm::function_ref<ShardingAttr(MeshAttr, AxisAttr dp, AxisAttr tp)> make) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<NxdtDialect, func::FuncDialect>();
  std::string said;
  context.getDiagEngine().registerHandler([&](Diagnostic &diagnostic) {
    said += diagnostic.str() + "\n";
    return success();
  });
  auto module = parseSourceString<ModuleOp>(kProgram, &context);
  auto mesh = (*module)->getAttrOfType<MeshAttr>(kMeshAttr);
  ShardingAttr encoding =
      make(mesh, wholeAxis(mesh, "dp"), wholeAxis(mesh, "tp"));
  auto type =
      RankedTensorType::get({8, 16}, Float32Type::get(&context), encoding);
  for (auto buffer : module->getOps<BufferOp>())
    buffer.setType(type);
  for (auto func : module->getOps<func::FuncOp>()) {
    func.getArgument(0).setType(type);
    func.front().front().getResult(0).setType(type);
    func.setType(FunctionType::get(&context, {type}, {type}));
  }
  PassManager pm(&context);
  pm.enableVerifier(false);
  pm.addPass(createVerifySharding());
  bool accepted = succeeded(pm.run(*module));
  EXPECT_EQ(accepted, said.empty());
  return said;
}

TEST(VerifySharding, AcceptsTypesAsAFactoryMakesThem) {
  EXPECT_EQ(verifyWith([](MeshAttr mesh, AxisAttr dp, AxisAttr tp) {
              return makeSharding(mesh, {{tp, dp}, {}});
            }),
            "");
}

TEST(VerifySharding, RefusesAWrongNumberOfDimensions) {
  EXPECT_NE(verifyWith([](MeshAttr mesh, AxisAttr dp, AxisAttr) {
              return makeSharding(mesh, {{dp}});
            }).find("sharding has 1 dimensions, the tensor 2"),
            std::string::npos);
}

TEST(VerifySharding, RefusesAnotherMesh) {
  std::string said = verifyWith([](MeshAttr mesh, AxisAttr dp, AxisAttr tp) {
    auto other = MeshAttr::get(mesh.getContext(), {dp.getName(), tp.getName()},
                               ArrayRef<int64_t>{2, 8});
    return makeSharding(other, {{wholeAxis(other, "dp")}, {}});
  });
  EXPECT_NE(said.find("lies on the mesh"), std::string::npos) << said;
}

/// Lists that are wrong in themselves do not even become an attribute.
std::string
factorySays(llvm::function_ref<Axes(AxisAttr dp, AxisAttr tp)> columns) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<NxdtDialect, func::FuncDialect>();
  std::string said;
  context.getDiagEngine().registerHandler([&](Diagnostic &diagnostic) {
    said += diagnostic.str() + "\n";
    return success();
  });
  auto module = parseSourceString<ModuleOp>(kProgram, &context);
  auto mesh = (*module)->getAttrOfType<MeshAttr>(kMeshAttr);
  AxisAttr dp = wholeAxis(mesh, "dp"), tp = wholeAxis(mesh, "tp");
  bool accepted = succeeded(checkedSharding(
      mesh, {{dp}, columns(dp, tp)}, [&] { return module->emitError(); }));
  EXPECT_EQ(accepted, said.empty());
  return said;
}

TEST(CheckedSharding, RefusesAnAxisInTwoDimensions) {
  EXPECT_EQ(factorySays([](AxisAttr, AxisAttr tp) { return Axes{tp}; }), "");
  EXPECT_NE(factorySays([](AxisAttr dp, AxisAttr) {
              return Axes{dp};
            }).find("axis 'dp' is used twice"),
            std::string::npos);
}

TEST(CheckedSharding, RefusesAPartThatDoesNotDivideItsAxis) {
  EXPECT_NE(factorySays([](AxisAttr, AxisAttr tp) {
              return Axes{AxisAttr::get(tp.getContext(), tp.getName(), 1, 3)};
            }).find("part (1)3 does not divide axis 'tp' of size 4"),
            std::string::npos);
}

} // namespace
