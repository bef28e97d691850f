//===- AtenSyntax.cpp - the argument list of nxdt.aten --------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   "aten::index.Tensor"(%x, [none, %i])
//   "aten::sum.dim_IntList"(%x, array<i64: 1>, false, none)
//
//===----------------------------------------------------------------------===//
#include "Nxdt/IR/Nxdt.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace nxdt;

using Operands = SmallVectorImpl<OpAsmParser::UnresolvedOperand>;

/// One element: an operand, `none`, `device` or an attribute.
static ParseResult parseElement(OpAsmParser &parser, Operands &operands,
                                SmallVectorImpl<Attribute> &args,
                                bool insideList) {
  MLIRContext *context = parser.getContext();
  OpAsmParser::UnresolvedOperand operand;
  OptionalParseResult result = parser.parseOptionalOperand(operand);
  if (result.has_value()) {
    if (failed(*result))
      return failure();
    operands.push_back(operand);
    args.push_back(OperandAttr::get(context));
    return success();
  }
  if (succeeded(parser.parseOptionalKeyword("none"))) {
    args.push_back(NoneAttr::get(context));
    return success();
  }
  if (insideList)
    return parser.emitError(parser.getCurrentLocation(),
                            "a list holds only operands and 'none'");
  if (succeeded(parser.parseOptionalKeyword("device"))) {
    args.push_back(DeviceAttr::get(context));
    return success();
  }
  if (succeeded(parser.parseOptionalLSquare())) {
    SmallVector<Attribute> elements;
    if (failed(parser.parseOptionalRSquare())) {
      if (parser.parseCommaSeparatedList(
              [&] { return parseElement(parser, operands, elements, true); }) ||
          parser.parseRSquare())
        return failure();
    }
    args.push_back(ArrayAttr::get(context, elements));
    return success();
  }
  Attribute attr;
  if (parser.parseAttribute(attr))
    return failure();
  args.push_back(attr);
  return success();
}

namespace nxdt {
ParseResult parseAtenCall(OpAsmParser &parser, StringAttr &callee,
                          Operands &operands, ArrayAttr &args);
void printAtenCall(OpAsmPrinter &printer, Operation *op, StringAttr callee,
                   OperandRange operands, ArrayAttr args);
} // namespace nxdt

ParseResult nxdt::parseAtenCall(OpAsmParser &parser, StringAttr &callee,
                                Operands &operands, ArrayAttr &args) {
  SmallVector<Attribute> elements;
  if (parser.parseAttribute(callee) ||
      parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Paren, [&] {
        return parseElement(parser, operands, elements, false);
      }))
    return failure();
  args = ArrayAttr::get(parser.getContext(), elements);
  return success();
}

static void printElement(OpAsmPrinter &printer, Attribute arg,
                         OperandRange operands, unsigned &next) {
  if (isa<OperandAttr>(arg)) {
    // A broken op must still print (in the verifier's message).
    if (next < operands.size())
      printer << operands[next];
    else
      printer << "<<missing operand>>";
    ++next;
    return;
  }
  if (isa<NoneAttr>(arg)) {
    printer << "none";
    return;
  }
  if (isa<DeviceAttr>(arg)) {
    printer << "device";
    return;
  }
  if (auto list = dyn_cast<ArrayAttr>(arg)) {
    printer << '[';
    llvm::interleaveComma(list, printer, [&](Attribute element) {
      printElement(printer, element, operands, next);
    });
    printer << ']';
    return;
  }
  // i64, f64 and i1 are what a bare literal parses to.
  if (auto integer = dyn_cast<IntegerAttr>(arg);
      integer && integer.getType().isInteger(64)) {
    printer.printAttributeWithoutType(arg);
    return;
  }
  if (auto number = dyn_cast<FloatAttr>(arg);
      number && number.getType().isF64() && !number.getValue().isInfinity() &&
      !number.getValue().isNaN()) {
    printer.printAttributeWithoutType(arg);
    return;
  }
  printer << arg;
}

void nxdt::printAtenCall(OpAsmPrinter &printer, Operation *op,
                         StringAttr callee, OperandRange operands,
                         ArrayAttr args) {
  printer << callee << '(';
  unsigned next = 0;
  llvm::interleaveComma(args, printer, [&](Attribute arg) {
    printElement(printer, arg, operands, next);
  });
  printer << ')';
}

int64_t nxdt::countOperands(ArrayAttr args) {
  int64_t count = 0;
  for (Attribute arg : args) {
    if (isa<OperandAttr>(arg)) {
      ++count;
      continue;
    }
    if (auto list = dyn_cast<ArrayAttr>(arg)) {
      for (Attribute element : list) {
        if (isa<OperandAttr>(element))
          ++count;
        else if (!isa<NoneAttr>(element))
          return -1;
      }
      continue;
    }
    if (!isa<NoneAttr, DeviceAttr, IntegerAttr, FloatAttr, StringAttr, TypeAttr,
             DenseI64ArrayAttr, DenseF64ArrayAttr, DenseBoolArrayAttr>(arg))
      return -1;
  }
  return count;
}
