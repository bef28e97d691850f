// What a right step becomes when it is broken in one place.

// The gradient by the number of dp ranks, on its way to the optimizer (Megatron-LM's and others' repeated bug: a factor of dp, cp or micro-batches too many).
// RUN: nxdt-opt %S/verify-reduction-scale.mlir --build-step --record-scales | sed 's|^ *\(.*\)nxdt.adamw %arg3, %arg4,|%bad = nxdt.aten "aten::mul.Scalar"(%arg4, 0.5) : (tensor<16x8xf32>) -> tensor<16x8xf32>\n\1nxdt.adamw %arg3, %bad,|' | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=GRAD
// GRAD: error: the gradient is 5.000000e-01 times @w.grad; sums over ranks and micro-batches are divided by the number of tokens, and by nothing else

// The same factor, found by its number.
// RUN: nxdt-opt %S/verify-reduction-scale.mlir --build-step --record-scales | sed 's|^ *\(.*\)nxdt.adamw %arg3, %arg4,|%bad = nxdt.aten "aten::mul.Scalar"(%arg4, 0.5) : (tensor<16x8xf32>) -> tensor<16x8xf32>\n\1nxdt.adamw %arg3, %bad,|' | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=FACTOR
// FACTOR: error: program 'update_step' has 1 times 'aten::mul.Scalar by 0.5', the step as it was built 0 times: a factor too many

// A factor in the middle of the backward pass, next to the model's own.
// RUN: nxdt-opt %S/verify-reduction-scale.mlir --build-step --record-scales | sed 's|^ *\(.*\)nxdt.weight_grad %3,|%bad = nxdt.aten "aten::mul.Scalar"(%3, 4.0) : (tensor<4x16xf32>) -> tensor<4x16xf32>\n\1nxdt.weight_grad %bad,|' | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=INSIDE
// INSIDE: error: program 'train_step' has 1 times 'aten::mul.Scalar by 4', the step as it was built 0 times: a factor too many

// The model's own factor is gone from the gradient.
// RUN: nxdt-opt %S/verify-reduction-scale.mlir --build-step --record-scales | sed 's|nxdt.accumulate %arg5, %5|nxdt.accumulate %arg5, %4|;/%5 = nxdt.aten "aten::mul.Scalar"(%4/d' | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=LOST
// LOST: error: program 'train_step' has lost a 'aten::mul.Scalar by 0.5'

// The scale is squared in effect: tokens twice.
// RUN: nxdt-opt %S/verify-reduction-scale.mlir --build-step --record-scales | sed 's|^ *\(.*\)%arg0, %arg1, %arg2 {beta1|%bad = nxdt.aten "aten::mul.Tensor"(%arg2, %arg2) : (tensor<f32>, tensor<f32>) -> tensor<f32>\n\1%arg0, %arg1, %bad {beta1|' | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=SCALE
// SCALE: error: the scale must be @grad_scale, but comes from 'aten::mul.Tensor'

// Another number in the place of the number of tokens.
// RUN: nxdt-opt %S/verify-reduction-scale.mlir --build-step --record-scales | sed 's|nxdt.clip_scale %1, %arg1|nxdt.clip_scale %1, %n|;s|^ *\(%1 = nxdt.global_norm(%arg2)\)|%n = nxdt.aten "aten::full"(array<i64>, 2, i64, none, device, none) : () -> tensor<i64>\n\1|' | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=OTHER
// OTHER: error: the number of tokens must be @token_count, but comes from 'aten::full'

// The loss by the number of ranks.
// RUN: nxdt-opt %S/verify-reduction-scale.mlir --build-step --record-scales | sed 's|\(%0 = nxdt.aten "aten::div.Tensor"(\)%arg0\(, %arg1) : (tensor<f64>\)|%bad = nxdt.aten "aten::div.Scalar"(%arg0, 2.0) : (tensor<f64>) -> tensor<f64>\n\1%bad\2|' | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=LOSS
// LOSS: error: the loss is 5.000000e-01 times @loss_sum

// The gradient of the loss starts from something else than one.
// RUN: nxdt-opt %S/verify-reduction-scale.mlir --build-step --record-scales | sed 's|aten::full"(array<i64>, 1.000000e+00, f32|aten::full"(array<i64>, 4.0, f32|' | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=SEED
// SEED: error: the gradient of the summed loss is one, and nothing else

// A micro-batch's loss by the number of micro-batches.
// RUN: nxdt-opt %S/verify-reduction-scale.mlir --build-step --record-scales | sed 's|^ *\(.*\)nxdt.accumulate %arg3, %loss_sum|%bad = nxdt.aten "aten::mul.Scalar"(%loss_sum, 0.25) : (tensor<f32>) -> tensor<f32>\n\1nxdt.accumulate %arg3, %bad|' | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=MICRO
// MICRO: error: adds 2.500000e-01 times a micro-batch's sum to @loss_sum; loss and tokens are divided once, when the step ends

// Accumulators that go on from the last step.
// RUN: nxdt-opt %S/verify-reduction-scale.mlir --build-step --record-scales | sed 's|aten::full"(array<i64: 16, 8>, 0.000000e+00|aten::full"(array<i64: 16, 8>, 1.0|' | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=ZERO
// ZERO: error: program 'begin_step' does not set @w.grad to zero: a step would add to the last one

// An accumulator that takes the last micro-batch only.
// RUN: nxdt-opt %S/verify-reduction-scale.mlir --build-step --record-scales | sed 's|return %7, %8, %6 :|return %7, %8, %5 :|' | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=LAST
// LAST: error: accumulates into @w.grad, but program 'train_step' writes something else there

// The norm of something else.
// RUN: nxdt-opt %S/verify-reduction-scale.mlir --build-step --record-scales | sed 's|^ *\(.*\)nxdt.global_norm(%arg2)|%bad = nxdt.aten "aten::mul.Scalar"(%arg2, 2.0) : (tensor<16x8xf32>) -> tensor<16x8xf32>\n\1nxdt.global_norm(%bad)|' | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=NORM
// NORM: error: squares something else than one of the gradients

// A gradient that the norm counts twice (tied or replicated weights).
// RUN: nxdt-opt %S/verify-reduction-scale.mlir --build-step --record-scales | sed 's|nxdt.global_norm(%arg2) : (tensor<16x8xf32>)|nxdt.global_norm(%arg2, %arg2) : (tensor<16x8xf32>, tensor<16x8xf32>)|' | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=TWICE
// TWICE: error: counts @w.grad twice, or it is none of the gradients

// Clipping at another norm than the configuration's.
// RUN: nxdt-opt %S/verify-reduction-scale.mlir --build-step --record-scales | sed 's|{max_norm = 1.000000e+00 : f64} : tensor<f32>|{max_norm = 2.0 : f64} : tensor<f32>|' | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=CLIP
// CLIP: error: clips at another norm than 'nxdt.train' says

// A moment in the place of the gradient.
// RUN: nxdt-opt %S/verify-reduction-scale.mlir --build-step --record-scales | sed 's|nxdt.adamw %arg3, %arg4,|nxdt.adamw %arg3, %arg5,|' | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=WRONG
// WRONG: error: the gradient must be @w.grad, but comes from @w.exp_avg

// An update that is not written.
// RUN: nxdt-opt %S/verify-reduction-scale.mlir --build-step --record-scales | sed 's|return %new_param, %new|return %arg3, %new|' | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=UPDATE
// UPDATE: error: its result is not what is written to @w

// A parameter that the norm of the weights lacks.
// RUN: nxdt-opt %S/verify-reduction-scale.mlir --build-step --record-scales | sed 's|nxdt.global_norm(%arg0)|nxdt.global_norm()|;s|nxdt.global_norm() : (tensor<16x8xf32>)|nxdt.global_norm() : ()|' | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=PARAMS
// PARAMS: error: the norm of the parameters lacks @w

// Without a record nothing can be compared.
// RUN: nxdt-opt %S/verify-reduction-scale.mlir --build-step | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=RECORD
// RECORD: error: verify-reduction-scale needs the module attribute 'nxdt.scales'; run record-scales when the step is built

// RUN: nxdt-opt %S/verify-reduction-scale.mlir --record-scales | not nxdt-opt --verify-reduction-scale 2>&1 | FileCheck %s --check-prefix=STEP
// STEP: error: there is no program 'begin_step'; run build-step first
