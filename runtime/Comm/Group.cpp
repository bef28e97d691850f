//===- Group.cpp - collectives over some ranks -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/Group.h"

namespace nxdt::comm {

WorkPtr Group::startAllReduce(at::Tensor input, Reduction reduction,
                              std::string label) {
  CollectiveCall call;
  call.op = CollectiveOp::AllReduce;
  call.reduction = reduction;
  call.input = std::move(input);
  call.label = std::move(label);
  return start(std::move(call));
}

WorkPtr Group::startAllGather(at::Tensor input, int64_t dim,
                              std::string label) {
  CollectiveCall call;
  call.op = CollectiveOp::AllGather;
  call.input = std::move(input);
  call.dim = dim;
  call.label = std::move(label);
  return start(std::move(call));
}

WorkPtr Group::startReduceScatter(at::Tensor input, Reduction reduction,
                                  int64_t dim, std::string label) {
  CollectiveCall call;
  call.op = CollectiveOp::ReduceScatter;
  call.reduction = reduction;
  call.input = std::move(input);
  call.dim = dim;
  call.label = std::move(label);
  return start(std::move(call));
}

WorkPtr Group::startAllToAll(at::Tensor input, int64_t splitDim,
                             int64_t concatDim, std::string label) {
  CollectiveCall call;
  call.op = CollectiveOp::AllToAll;
  call.input = std::move(input);
  call.dim = splitDim;
  call.dim2 = concatDim;
  call.label = std::move(label);
  return start(std::move(call));
}

WorkPtr Group::startBroadcast(at::Tensor input, int64_t root,
                              std::string label) {
  CollectiveCall call;
  call.op = CollectiveOp::Broadcast;
  call.input = std::move(input);
  call.root = root;
  call.label = std::move(label);
  return start(std::move(call));
}

void Group::barrier(std::string label) {
  CollectiveCall call;
  call.label = std::move(label);
  start(std::move(call))->wait();
}

} // namespace nxdt::comm
