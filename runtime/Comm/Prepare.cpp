//===- Prepare.cpp - checks and shapes of a collective -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/Prepare.h"

#include "nxdt/Plan/TorchTypes.h"
#include "nxdt/Support/UserError.h"

#include <ATen/ops/empty.h>

namespace nxdt::comm {

namespace {

class Preparer {
public:
  Preparer(const CollectiveCall &call, int64_t size, const std::string &group)
      : call(call), size(size), group(group) {}

  [[noreturn]] void fail(const std::string &what) const {
    throw UserError(std::string(name(call.op)) + " of group " + group +
                    (call.label.empty() ? "" : " (" + call.label + ")") + ": " +
                    what);
  }

  static std::string shapeText(at::IntArrayRef sizes) {
    std::string text = "[";
    for (size_t i = 0; i < sizes.size(); ++i)
      text += (i ? "," : "") + std::to_string(sizes[i]);
    return text + "]";
  }

  int64_t dimension(int64_t dim) const {
    int64_t rank = call.input.dim();
    if (dim < -rank || dim >= rank)
      fail("dimension " + std::to_string(dim) + " of a tensor of shape " +
           shapeText(call.input.sizes()) +
           (rank == 0 ? ", which has none"
                      : "; legal are " + std::to_string(-rank) + " to " +
                            std::to_string(rank - 1)));
    return dim < 0 ? dim + rank : dim;
  }

  void checkDivides(int64_t dim) const {
    int64_t extent = call.input.size(dim);
    if (extent % size != 0)
      fail("dimension " + std::to_string(dim) + " of shape " +
           shapeText(call.input.sizes()) + " is not divisible by the " +
           std::to_string(size) + " ranks: " + std::to_string(extent) + " % " +
           std::to_string(size) + " = " + std::to_string(extent % size));
  }

  DType dtype() const {
    at::ScalarType type = call.input.scalar_type();
    if (std::optional<DType> dtype = plan::findPlanType(type))
      return *dtype;
    fail(std::string("no collectives for dtype ") + c10::toString(type) +
         "; there are f64, f32, bf16, f16, i64, i32, u8, bool");
  }

  at::Tensor output(at::IntArrayRef sizes) const {
    if (!call.output.defined())
      return at::empty(sizes, call.input.options());
    if (call.output.sizes() != sizes)
      fail("the output has shape " + shapeText(call.output.sizes()) +
           ", the result " + shapeText(sizes));
    if (call.output.scalar_type() != call.input.scalar_type() ||
        !call.output.device().is_cpu())
      fail("the output must have the input's dtype and lie on the CPU");
    if (!call.output.is_contiguous())
      fail("the output is not contiguous");
    return call.output;
  }

private:
  const CollectiveCall &call;
  int64_t size;
  const std::string &group;
};

BlockView viewAround(at::IntArrayRef sizes, int64_t dim, int64_t elementBytes) {
  BlockView view{1, sizes[dim], elementBytes};
  for (int64_t i = 0; i < dim; ++i)
    view.outer *= sizes[i];
  for (size_t i = dim + 1; i < sizes.size(); ++i)
    view.innerBytes *= sizes[i];
  return view;
}

} // namespace

PreparedCall prepare(CollectiveCall call, int64_t size,
                     const std::string &group) {
  PreparedCall result;
  Preparer preparer(call, size, group);
  if (call.op == CollectiveOp::Barrier) {
    if (call.input.defined() || call.output.defined())
      preparer.fail("it takes no tensors");
    call.reduction = Reduction::None;
    result.call = std::move(call);
    return result;
  }
  if (!call.input.defined())
    preparer.fail("no input tensor");
  if (!call.input.device().is_cpu())
    preparer.fail("the input lies on " + call.input.device().str() +
                  "; this group moves CPU memory");
  result.dtype = preparer.dtype();
  bool reduces = call.op == CollectiveOp::AllReduce ||
                 call.op == CollectiveOp::ReduceScatter;
  if (!reduces)
    call.reduction = Reduction::None;
  else if (call.reduction == Reduction::None)
    preparer.fail("needs a reduction: sum, max or min");
  else if (call.reduction == Reduction::Sum && result.dtype == DType::Bool)
    preparer.fail("no sum of bool; max is or, min is and, or convert to i64");

  std::vector<int64_t> sizes = call.input.sizes().vec();
  int64_t element = byteSize(result.dtype);
  switch (call.op) {
  case CollectiveOp::AllReduce:
  case CollectiveOp::Barrier:
    break;
  case CollectiveOp::Broadcast:
    if (call.root < 0 || call.root >= size)
      preparer.fail("root " + std::to_string(call.root) +
                    " is not one of its members 0 to " +
                    std::to_string(size - 1));
    break;
  case CollectiveOp::AllGather:
    call.dim = preparer.dimension(call.dim);
    result.view = viewAround(sizes, call.dim, element);
    sizes[call.dim] *= size;
    break;
  case CollectiveOp::ReduceScatter:
    call.dim = preparer.dimension(call.dim);
    preparer.checkDivides(call.dim);
    result.view = viewAround(sizes, call.dim, element);
    sizes[call.dim] /= size;
    break;
  case CollectiveOp::AllToAll:
    call.dim = preparer.dimension(call.dim);
    call.dim2 = preparer.dimension(call.dim2);
    preparer.checkDivides(call.dim);
    result.view = viewAround(sizes, call.dim, element);
    sizes[call.dim] /= size;
    result.join = viewAround(sizes, call.dim2, element);
    sizes[call.dim2] *= size;
    break;
  }
  result.output = preparer.output(sizes);
  bool mayAlias =
      call.op == CollectiveOp::AllReduce || call.op == CollectiveOp::Broadcast;
  if (!mayAlias && call.output.defined() &&
      call.output.is_alias_of(call.input) && call.input.numel() > 0)
    preparer.fail("input and output share memory");
  result.input = call.input.contiguous();
  result.call = std::move(call);
  return result;
}

} // namespace nxdt::comm
