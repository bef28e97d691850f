//===- Buffers.cpp - programs and the buffers they touch ------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Passes/Passes.h"

using namespace mlir;
using namespace nxdt;

BufferOp nxdt::bufferOf(func::FuncOp func, unsigned argument,
                        SymbolTable &symbols) {
  auto name = func.getArgAttrOfType<FlatSymbolRefAttr>(argument, kBufferAttr);
  return name ? symbols.lookup<BufferOp>(name.getValue()) : BufferOp();
}
