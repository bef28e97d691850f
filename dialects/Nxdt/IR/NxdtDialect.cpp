//===- NxdtDialect.cpp - dialect registration -----------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Nxdt/IR/Nxdt.h"
#include "Nxdt/IR/Sharding.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nxdt;

#include "NxdtDialect.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "NxdtAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "NxdtTypes.cpp.inc"

// The custom directive of nxdt.aten, in AtenSyntax.cpp.
namespace nxdt {
ParseResult
parseAtenCall(OpAsmParser &parser, StringAttr &callee,
              SmallVectorImpl<OpAsmParser::UnresolvedOperand> &operands,
              ArrayAttr &args);
void printAtenCall(OpAsmPrinter &printer, Operation *op, StringAttr callee,
                   OperandRange operands, ArrayAttr args);
} // namespace nxdt

#define GET_OP_CLASSES
#include "NxdtOps.cpp.inc"

namespace {
/// `#mesh`, and `#dp-_-tp` for `#nxdt.sharding<#mesh, [[dp], [], [tp]]>`: a
/// sharded type is then hardly longer than the type of the whole.
struct NxdtAsmInterface : public OpAsmDialectInterface {
  using OpAsmDialectInterface::OpAsmDialectInterface;
  AliasResult getAlias(Attribute attr, raw_ostream &os) const override {
    if (isa<MeshAttr>(attr))
      os << "mesh";
    else if (auto sharding = dyn_cast<ShardingAttr>(attr))
      os << shardingAlias(sharding);
    else
      return AliasResult::NoAlias;
    return AliasResult::FinalAlias;
  }
};
} // namespace

void NxdtDialect::initialize() {
  addInterfaces<NxdtAsmInterface>();
  addOperations<
#define GET_OP_LIST
#include "NxdtOps.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "NxdtAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "NxdtTypes.cpp.inc"
      >();
}

void AtenOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  // Only operators as captured can mutate; anything else may be erased,
  // merged and moved. Random operators are kept apart by not being merged:
  // they are refused at capture.
  if (getMutates() && !getMutates()->empty())
    effects.emplace_back(MemoryEffects::Write::get());
}
