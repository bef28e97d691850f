// RUN: nxdt-opt %s --verify-sharding --split-input-file --verify-diagnostics

// expected-error @+1 {{verify-sharding needs the module attribute 'nxdt.mesh'}}
module {}

// -----

// A partial sum under something that is not linear.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "scalar"} : !p
  nxdt.buffer @o0 {role = "scalar"} : !r
  func.func @f(%a0: !p {nxdt.buffer = @i0}) -> (!r {nxdt.buffer = @o0}) {
    // expected-error @+1 {{operand 0 is partial over [tp], but aten::silu is not linear in it; reshard it to the sum first}}
    %0 = nxdt.aten "aten::silu"(%a0) : (!p) -> !r
    return %0 : !r
  }
}

// -----

// The forgotten reduction: silu of terms, called a term.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "scalar"} : !p
  nxdt.buffer @o0 {role = "scalar"} : !p
  func.func @f(%a0: !p {nxdt.buffer = @i0}) -> (!p {nxdt.buffer = @o0}) {
    // expected-error @+1 {{operand 0 is partial over [tp], but aten::silu is not linear in it}}
    %0 = nxdt.aten "aten::silu"(%a0) : (!p) -> !p
    return %0 : !p
  }
}

// -----

// A term and a whole: the whole would count once for each rank.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "scalar"} : !p
  nxdt.buffer @i1 {role = "input"} : !r
  nxdt.buffer @o0 {role = "scalar"} : !p
  func.func @f(%a0: !p {nxdt.buffer = @i0}, %a1: !r {nxdt.buffer = @i1}) -> (!p {nxdt.buffer = @o0}) {
    // expected-error @+1 {{some operands are partial over [tp] and others are not: aten::add.Tensor would count these once for each rank; reshard to the sum first}}
    %0 = nxdt.aten "aten::add.Tensor"(%a0, %a1, 1) : (!p, !r) -> !p
    return %0 : !p
  }
}

// -----

// A product of two sums is not the sum of products.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "scalar"} : !p
  nxdt.buffer @o0 {role = "scalar"} : !p
  func.func @f(%a0: !p {nxdt.buffer = @i0}) -> (!p {nxdt.buffer = @o0}) {
    // expected-error @+1 {{aten::mul.Tensor of 2 partial operands is no partial sum; reshard all but one of them}}
    %0 = nxdt.aten "aten::mul.Tensor"(%a0, %a0) : (!p, !p) -> !p
    return %0 : !p
  }
}

// -----

// Truncation term by term.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "scalar"} : !p
  nxdt.buffer @o0 {role = "scalar"} : tensor<8x16xi64, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
  func.func @f(%a0: !p {nxdt.buffer = @i0}) -> (tensor<8x16xi64, #nxdt.sharding<#mesh, [[], []], partial [tp]>> {nxdt.buffer = @o0}) {
    // expected-error @+1 {{operand 0 is partial over [tp], but aten::to.dtype is not linear in it}}
    %0 = nxdt.aten "aten::to.dtype"(%a0, i64, false, false, none) : (!p) -> tensor<8x16xi64, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
    return %0 : tensor<8x16xi64, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
  }
}

// -----

// A maximum is in no op linear.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "input"} : tensor<8x16x4xf32, #nxdt.sharding<#mesh, [[], [], [tp]]>>
  nxdt.buffer @o0 {role = "scalar"} : !r
  func.func @f(%a0: tensor<8x16x4xf32, #nxdt.sharding<#mesh, [[], [], [tp]]>> {nxdt.buffer = @i0}) -> (!r {nxdt.buffer = @o0}) {
    %1 = nxdt.aten "aten::amax"(%a0, array<i64: 2>, false) : (tensor<8x16x4xf32, #nxdt.sharding<#mesh, [[], [], [tp]]>>) -> !m
    // expected-error @+1 {{operand 0 is partial over [tp], but aten::neg is not linear in it; reshard it to the maximum first}}
    %2 = nxdt.aten "aten::neg"(%1) : (!m) -> !m
    %3 = nxdt.reshard %2 {reason = "maximum"} : !m -> !r
    return %3 : !r
  }
}

// -----

// Only reshard changes a sharding.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "input"} : !d
  nxdt.buffer @o0 {role = "scalar"} : !r
  func.func @f(%a0: !d {nxdt.buffer = @i0}) -> (!r {nxdt.buffer = @o0}) {
    // expected-error @+1 {{dimension 0 of result 0 is split over [], but aten::exp has the same index split over [dp] elsewhere; reshard one of them}}
    %0 = nxdt.aten "aten::exp"(%a0) : (!d) -> !r
    return %0 : !r
  }
}

// -----

// Two operands that lie otherwise.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "input"} : !d
  nxdt.buffer @i1 {role = "input"} : !r
  nxdt.buffer @o0 {role = "scalar"} : !d
  func.func @f(%a0: !d {nxdt.buffer = @i0}, %a1: !r {nxdt.buffer = @i1}) -> (!d {nxdt.buffer = @o0}) {
    // expected-error @+1 {{dimension 0 of operand 1 is split over [], but aten::add.Tensor has the same index split over [dp] elsewhere}}
    %0 = nxdt.aten "aten::add.Tensor"(%a0, %a1, 1) : (!d, !r) -> !d
    return %0 : !d
  }
}

// -----

// A softmax over a split dimension.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "input"} : !t
  nxdt.buffer @o0 {role = "scalar"} : !t
  func.func @f(%a0: !t {nxdt.buffer = @i0}) -> (!t {nxdt.buffer = @o0}) {
    // expected-error @+1 {{aten::softmax.int needs all 16 of an index that is split over [tp]; gather it first}}
    %0 = nxdt.aten "aten::softmax.int"(%a0, 1, none) : (!t) -> !t
    return %0 : !t
  }
}

// -----

// A sum over a split dimension is a term only.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "input"} : !t
  nxdt.buffer @o0 {role = "scalar"} : tensor<8xf32, #nxdt.sharding<#mesh, [[]]>>
  func.func @f(%a0: !t {nxdt.buffer = @i0}) -> (tensor<8xf32, #nxdt.sharding<#mesh, [[]]>> {nxdt.buffer = @o0}) {
    // expected-error @+1 {{result 0 of aten::sum.dim_IntList is partial over [tp], its type says []}}
    %0 = nxdt.aten "aten::sum.dim_IntList"(%a0, array<i64: 1>, false, none) : (!t) -> tensor<8xf32, #nxdt.sharding<#mesh, [[]]>>
    return %0 : tensor<8xf32, #nxdt.sharding<#mesh, [[]]>>
  }
}

// -----

// A maximum over a split dimension is no sum.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "input"} : !t
  nxdt.buffer @o0 {role = "scalar"} : tensor<8xf32, #nxdt.sharding<#mesh, [[]], partial [tp]>>
  func.func @f(%a0: !t {nxdt.buffer = @i0}) -> (tensor<8xf32, #nxdt.sharding<#mesh, [[]], partial [tp]>> {nxdt.buffer = @o0}) {
    // expected-error @+1 {{result 0 of aten::amax is a partial maximum, its type says the other}}
    %0 = nxdt.aten "aten::amax"(%a0, array<i64: 1>, false) : (!t) -> tensor<8xf32, #nxdt.sharding<#mesh, [[]], partial [tp]>>
    return %0 : tensor<8xf32, #nxdt.sharding<#mesh, [[]], partial [tp]>>
  }
}

// -----

// What is not partial is called so.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "input"} : !r
  nxdt.buffer @o0 {role = "scalar"} : !p
  func.func @f(%a0: !r {nxdt.buffer = @i0}) -> (!p {nxdt.buffer = @o0}) {
    // expected-error @+1 {{result 0 of aten::neg is partial over [], its type says [tp]}}
    %0 = nxdt.aten "aten::neg"(%a0) : (!r) -> !p
    return %0 : !p
  }
}

// -----

// The minor of two indices is split: parts do not lie together.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "input"} : !t
  nxdt.buffer @o0 {role = "scalar"} : tensor<8x2x8xf32, #nxdt.sharding<#mesh, [[], [], [tp]]>>
  func.func @f(%a0: !t {nxdt.buffer = @i0}) -> (tensor<8x2x8xf32, #nxdt.sharding<#mesh, [[], [], [tp]]>> {nxdt.buffer = @o0}) {
    // expected-error @+1 {{dimension 1 of result 0 is split over [], but aten::view has the same index split over [tp:(1)2] elsewhere; reshard one of them}}
    %0 = nxdt.aten "aten::view"(%a0, array<i64: 8, 2, 8>) : (!t) -> tensor<8x2x8xf32, #nxdt.sharding<#mesh, [[], [], [tp]]>>
    return %0 : tensor<8x2x8xf32, #nxdt.sharding<#mesh, [[], [], [tp]]>>
  }
}

// -----

// A part of an axis that the op cannot cut: six columns, of which each row of a pair has three.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "input"} : tensor<8x6xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
  nxdt.buffer @o0 {role = "scalar"} : tensor<8x3x2xf32, #nxdt.sharding<#mesh, [[], [], []]>>
  func.func @f(%a0: tensor<8x6xf32, #nxdt.sharding<#mesh, [[], [tp]]>> {nxdt.buffer = @i0}) -> (tensor<8x3x2xf32, #nxdt.sharding<#mesh, [[], [], []]>> {nxdt.buffer = @o0}) {
    // expected-error @+1 {{dimension 1 of operand 0 is split over [tp], which cuts across its parts of 3 in aten::view}}
    %0 = nxdt.aten "aten::view"(%a0, array<i64: 8, 3, 2>) : (tensor<8x6xf32, #nxdt.sharding<#mesh, [[], [tp]]>>) -> tensor<8x3x2xf32, #nxdt.sharding<#mesh, [[], [], []]>>
    return %0 : tensor<8x3x2xf32, #nxdt.sharding<#mesh, [[], [], []]>>
  }
}

// -----

// Squares of a term.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "scalar"} : !p
  nxdt.buffer @o0 {role = "scalar"} : tensor<f32, #nxdt.sharding<#mesh, []>>
  func.func @f(%a0: !p {nxdt.buffer = @i0}) -> (tensor<f32, #nxdt.sharding<#mesh, []>> {nxdt.buffer = @o0}) {
    // expected-error @+1 {{squares operand 0, which is partial over [tp]: the sum of squares is not the square of the sum; reduce it first}}
    %0 = nxdt.square_sum(%a0) : (!p) -> tensor<f32, #nxdt.sharding<#mesh, []>>
    return %0 : tensor<f32, #nxdt.sharding<#mesh, []>>
  }
}

// -----

// A norm that counts replicas: one tensor is split over dp, the other one is not.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "input"} : !d
  nxdt.buffer @i1 {role = "input"} : !r
  nxdt.buffer @o0 {role = "scalar"} : tensor<f32, #nxdt.sharding<#mesh, [], partial [dp]>>
  func.func @f(%a0: !d {nxdt.buffer = @i0}, %a1: !r {nxdt.buffer = @i1}) -> (tensor<f32, #nxdt.sharding<#mesh, [], partial [dp]>> {nxdt.buffer = @o0}) {
    // expected-error @+1 {{operand 1 is split over [], but the sum is partial over [dp]: elements would be counted more than once, or not at all}}
    %0 = nxdt.square_sum(%a0, %a1) : (!d, !r) -> tensor<f32, #nxdt.sharding<#mesh, [], partial [dp]>>
    return %0 : tensor<f32, #nxdt.sharding<#mesh, [], partial [dp]>>
  }
}

// -----

// A return to a buffer that lies otherwise.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "input"} : !r
  nxdt.buffer @o0 {role = "scalar"} : !r
  func.func @f(%a0: !r {nxdt.buffer = @i0}) -> (!p {nxdt.buffer = @o0}) {
    // expected-error-re @+1 {{program 'f' writes {{.*}}partial{{.*}} to @o0, which is {{.*}}; only nxdt.reshard changes how a tensor lies}}
    %0 = nxdt.aten "aten::full"(array<i64: 8, 16>, 0.0, f32, none, device, none) : () -> !p
    return %0 : !p
  }
}

// -----

// Ones are not a sum of ones.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @o0 {role = "scalar"} : !p
  func.func @f() -> (!p {nxdt.buffer = @o0}) {
    // expected-error @+1 {{result 0 of aten::full is partial over [], its type says [tp]}}
    %0 = nxdt.aten "aten::full"(array<i64: 8, 16>, 1.0, f32, none, device, none) : () -> !p
    return %0 : !p
  }
}

// -----

// A reshard without a reason.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "input"} : !d
  nxdt.buffer @o0 {role = "scalar"} : !r
  func.func @f(%a0: !d {nxdt.buffer = @i0}) -> (!r {nxdt.buffer = @o0}) {
    // expected-error @+1 {{has no reason}}
    %1 = nxdt.reshard %a0 {reason = ""} : !d -> !r
    return %1 : !r
  }
}

// -----

// No sharding at all.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i0 {role = "input"} : !r
  nxdt.buffer @o0 {role = "scalar"} : !r
  func.func @f(%a0: !r {nxdt.buffer = @i0}) -> (!r {nxdt.buffer = @o0}) {
    // expected-error @+1 {{result 0 has no sharding}}
    %0 = nxdt.aten "aten::exp"(%a0) : (!r) -> tensor<8x16xf32>
    // expected-error @+1 {{operand 0 has no sharding}}
    %1 = nxdt.aten "aten::exp"(%0) : (tensor<8x16xf32>) -> !r
    return %1 : !r
  }
}

// -----

// An argument that lies otherwise than its buffer.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @i {role = "input"} : !r
  nxdt.buffer @o {role = "scalar"} : !r
  // expected-error-re @+1 {{argument 0 of program 'f' is {{.*}}, its buffer @i is {{.*}}}}
  func.func @f(%a: !d {nxdt.buffer = @i}) -> (!r {nxdt.buffer = @o}) {
    %0 = nxdt.reshard %a {reason = "sum"} : !d -> !r
    return %0 : !r
  }
}

// -----

// Buffers.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
module attributes {nxdt.mesh = #mesh} {
  // expected-error @+1 {{a buffer of the role 'param' is partial over [tp]; only gradient accumulators and scalars may be: reduce before it is written}}
  nxdt.buffer @w {role = "param"} : !p
  // expected-error @+1 {{a buffer of the role 'opt_state' is partial over [tp]}}
  nxdt.buffer @w.exp_avg {role = "opt_state", param = "w", state = "exp_avg"} : !p
  // expected-error @+1 {{does not cover its parameter: 'tensor<4x16xf32>' for 'tensor<8x16xf32>'}}
  nxdt.buffer @w.master {role = "master", param = "w"} : tensor<4x16xf32, #nxdt.sharding<#mesh, [[], []]>>
  // expected-error @+1 {{belongs to 'v', which is no parameter}}
  nxdt.buffer @v.grad {role = "grad", param = "v"} : !p
  // expected-error @+1 {{holds a partial maximum; only sums go on in later programs}}
  nxdt.buffer @w.grad {role = "grad", param = "w"} : !m
  // expected-error @+1 {{has no sharding; run partition first}}
  nxdt.buffer @x {role = "input"} : tensor<4xf32>
  // expected-error @+1 {{lies on the mesh #nxdt.mesh<dp = 4>, the module is for #nxdt.mesh<dp = 2, tp = 4>}}
  nxdt.buffer @z {role = "input"} : tensor<4xf32, #nxdt.sharding<#nxdt.mesh<dp = 4>, [[]]>>
}

// -----

// The gradient of a replicated weight that nobody reduced (Megatron-LM issue 7452).
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!r = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []]>>
!d = tensor<8x16xf32, #nxdt.sharding<#mesh, [[dp], []]>>
!t = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!p = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>>
!m = tensor<8x16xf32, #nxdt.sharding<#mesh, [[], []], partial max [tp]>>
!f32 = tensor<f32, #nxdt.sharding<#mesh, []>>
!f64 = tensor<f64, #nxdt.sharding<#mesh, []>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @w {role = "param"} : !r
  nxdt.buffer @w.grad {role = "grad", param = "w"} : !p
  nxdt.buffer @w.exp_avg {role = "opt_state", param = "w", state = "exp_avg"} : !r
  nxdt.buffer @w.exp_avg_sq {role = "opt_state", param = "w", state = "exp_avg_sq"} : !r
  nxdt.buffer @lr {role = "input"} : !f64
  nxdt.buffer @step {role = "input"} : !f32
  nxdt.buffer @scale {role = "scalar"} : !f32
  func.func @update_step(%p: !r {nxdt.buffer = @w}, %g: !p {nxdt.buffer = @w.grad}, %m: !r {nxdt.buffer = @w.exp_avg}, %v: !r {nxdt.buffer = @w.exp_avg_sq}, %lr: !f64 {nxdt.buffer = @lr}, %step: !f32 {nxdt.buffer = @step}, %scale: !f32 {nxdt.buffer = @scale}) -> (!r {nxdt.buffer = @w}) {
    // expected-error @+1 {{operand 1 is partial over [tp], but nxdt.adamw is not linear in it; reshard it to the sum first}}
    %p1, %m1, %v1 = nxdt.adamw %p, %g, %m, %v, %lr, %step, %scale {beta1 = 0.9 : f64, beta2 = 0.95 : f64, eps = 1.0e-8 : f64, weight_decay = 0.1 : f64, variant = "adamw", correct_bias = true} : !r, !p, !f64, !f32, !f32
    return %p1 : !r
  }
}

// -----

// A scale from the tokens of one rank.
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!f32 = tensor<f32, #nxdt.sharding<#mesh, []>>
!s = !f32
!i = tensor<i64, #nxdt.sharding<#mesh, [], partial [dp]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @n {role = "scalar"} : !s
  nxdt.buffer @c {role = "scalar"} : !i
  nxdt.buffer @o {role = "scalar"} : !f32
  func.func @finish_step(%n: !s {nxdt.buffer = @n}, %c: !i {nxdt.buffer = @c}) -> (!f32 {nxdt.buffer = @o}) {
    // expected-error @+1 {{operand 1 is partial over [dp], but nxdt.clip_scale is not linear in it; reshard it to the sum first}}
    %norm, %scale = nxdt.clip_scale %n, %c : !s, !i -> !f32, !f32
    return %scale : !f32
  }
}
