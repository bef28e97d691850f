//===- Activations.cpp - the non-linearities of neural networks ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

/// The gradient and a tensor of the forward, promoted.
static void registerKernels(OpRegistry &registry) {
  auto kernel = [&](StringRef callee, RuleOf sharding,
                    Infer (*infer)(const CallArgs &)) {
    OpInfo &info = registry.add(callee);
    info.infer = infer;
    info.sharding = each({0}, std::move(sharding));
  };
  // Only built by the formulas below; their own gradients stay with autograd.
  for (StringRef name :
       {"aten::tanh_backward", "aten::sigmoid_backward", "aten::silu_backward",
        "aten::gelu_backward", "aten::threshold_backward",
        "aten::leaky_relu_backward", "aten::hardtanh_backward",
        "aten::softplus_backward"})
    kernel(name, elementwise(), inferBinary);
  kernel("aten::elu_backward", elementwise(),
         [](const CallArgs &args) -> Infer {
           if (!args.type(0) || !args.type(5))
             return failure();
           return broadcastResult({args.type(0), args.type(5)},
                                  promote(args.type(0), args.type(5)));
         });
  // These take self's type.
  auto inferSelf = [](const CallArgs &args) -> Infer {
    if (!args.type(0) || !args.type(1))
      return failure();
    return ResultTypes{args.type(1)};
  };
  kernel("aten::mish_backward", elementwise(), inferSelf);
  kernel("aten::glu_backward", wholeAlong(2), inferSelf);
}

void nxdt::registerActivations(OpRegistry &registry) {
  registerKernels(registry);
  // Kernels that take the result.
  struct Kernel {
    StringRef callee, backward;
  };
  for (Kernel k : {Kernel{"aten::tanh", "aten::tanh_backward"},
                   Kernel{"aten::sigmoid", "aten::sigmoid_backward"}}) {
    std::string backward = k.backward.str();
    add(registry, k.callee, elementwise(), inferFloatUnary,
        [backward](VjpContext &ctx) {
          ctx.set(0, ctx.call(backward, {ctx.grad(), ctx.out()}));
        });
  }
  // Kernels that take the operand.
  for (Kernel k : {Kernel{"aten::silu", "aten::silu_backward"},
                   Kernel{"aten::mish", "aten::mish_backward"}}) {
    std::string backward = k.backward.str();
    add(registry, k.callee, elementwise(), inferFloatUnary,
        [backward](VjpContext &ctx) {
          ctx.set(0, ctx.call(backward, {ctx.grad(), ctx.in(0)}));
        });
  }
  add(registry, "aten::gelu", elementwise(), inferFloatUnary,
      [](VjpContext &ctx) {
        ctx.set(0, ctx.call("aten::gelu_backward",
                            {ctx.grad(), ctx.in(0), Arg(ctx.args.attr(1))}));
      });
  add(registry, "aten::relu", elementwise(), inferSame, [](VjpContext &ctx) {
    ctx.set(0,
            ctx.call("aten::threshold_backward", {ctx.grad(), ctx.out(), 0}));
  });
  add(registry, "aten::threshold", elementwise(), inferSame,
      [](VjpContext &ctx) {
        ctx.set(0, ctx.call("aten::threshold_backward",
                            {ctx.grad(), ctx.in(0), Arg(ctx.args.attr(1))}));
      });
  add(registry, "aten::relu6", elementwise(), inferSame, [](VjpContext &ctx) {
    ctx.set(0, ctx.call("aten::hardtanh_backward",
                        {ctx.grad(), ctx.in(0), 0.0, 6.0}));
  });
  add(registry, "aten::hardtanh", elementwise(), inferSame,
      [](VjpContext &ctx) {
        ctx.set(0, ctx.call("aten::hardtanh_backward",
                            {ctx.grad(), ctx.in(0), Arg(ctx.args.attr(1)),
                             Arg(ctx.args.attr(2))}));
      });
  add(registry, "aten::leaky_relu", elementwise(), inferSame,
      [](VjpContext &ctx) {
        ctx.set(0, ctx.call("aten::leaky_relu_backward",
                            {ctx.grad(), ctx.in(0), Arg(ctx.args.attr(1)),
                             /*self_is_result=*/false}));
      });
  // elu(self, alpha, scale, input_scale)
  add(registry, "aten::elu", elementwise(), inferSame, [](VjpContext &ctx) {
    ctx.set(0, ctx.call("aten::elu_backward",
                        {ctx.grad(), Arg(ctx.args.attr(1)),
                         Arg(ctx.args.attr(2)), Arg(ctx.args.attr(3)),
                         /*is_result=*/false, ctx.in(0)}));
  });
  add(registry, "aten::softplus", elementwise(), inferSame,
      [](VjpContext &ctx) {
        ctx.set(0, ctx.call("aten::softplus_backward",
                            {ctx.grad(), ctx.in(0), Arg(ctx.args.attr(1)),
                             Arg(ctx.args.attr(2))}));
      });
  add(registry, "aten::log_sigmoid", elementwise(), inferSame,
      [](VjpContext &ctx) {
        Value slope = ctx.call("aten::sigmoid", {ctx.neg(ctx.in(0))});
        ctx.set(0, ctx.mul(ctx.grad(), slope));
      });
  // glu(self, dim): the first half times the sigmoid of the second.
  add(
      registry, "aten::glu", wholeAlong(1),
      [](const CallArgs &args) -> Infer {
        RankedTensorType type = args.type(0);
        if (!type || !type.getRank())
          return failure();
        auto dim = wrapDim(args.integer(1), type.getRank());
        if (!dim || type.getDimSize(*dim) % 2)
          return failure();
        Shape half(type.getShape());
        half[*dim] /= 2;
        return shaped(type, half);
      },
      [](VjpContext &ctx) {
        ctx.set(0, ctx.call("aten::glu_backward",
                            {ctx.grad(), ctx.in(0), Arg(ctx.args.attr(1))}));
      });
}
