//===- InitWeights.cpp - initial weights by global index -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Executor/InitWeights.h"
#include "nxdt/Plan/FileMemory.h"
#include "runtime/Executor/Philox.h"

#include "ATen/Parallel.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/narrow.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace nxdt::runtime {
namespace {

/// The four draws of block `block` of a stream: elements 4 block .. + 3.
struct Generator {
  plan::Init init;
  uint64_t stream;

  std::array<double, 4> block(uint64_t block) const {
    PhiloxCounter bits = philox({uint32_t(block), uint32_t(block >> 32), 0, 0},
                                {uint32_t(stream), uint32_t(stream >> 32)});
    std::array<double, 4> out;
    // Open at both ends: the logarithm wants no 0.
    for (int i = 0; i < 4; ++i)
      out[i] = (double(bits[i]) + 0.5) * 0x1p-32;
    if (init.kind == plan::Init::Kind::Uniform) {
      for (double &u : out)
        u = init.a + (init.b - init.a) * u;
      return out;
    }
    // Box-Muller, a pair of uniforms for a pair of normals.
    for (int i = 0; i < 4; i += 2) {
      double radius = std::sqrt(-2.0 * std::log(out[i]));
      double angle = 2.0 * std::numbers::pi * out[i + 1];
      out[i] = init.a + init.b * radius * std::cos(angle);
      out[i + 1] = init.a + init.b * radius * std::sin(angle);
    }
    return out;
  }

  /// Elements first .. first + count - 1 of the stream.
  void fill(float *out, int64_t first, int64_t count) const {
    int64_t i = 0;
    while (i < count) {
      uint64_t index = uint64_t(first + i);
      std::array<double, 4> draws = block(index / 4);
      for (uint64_t lane = index % 4; lane < 4 && i < count; ++lane)
        out[i++] = float(draws[lane]);
    }
  }
};

/// One innermost row of the local tensor: where it lies in the whole.
struct Row {
  int64_t firstIndex = 0;  ///< logical global index of its first element
  int64_t logicalSize = 0; ///< elements that are not padding
};

/// Where a local tensor lies in its whole.
struct Place {
  std::vector<int64_t> logicalShape;
  std::vector<plan::DimSlice> dims;
};

Row rowOf(const Place &place, int64_t row) {
  int64_t inner = int64_t(place.dims.size()) - 1;
  Row out = {place.dims[inner].start, place.dims[inner].valid};
  int64_t stride = place.logicalShape[inner];
  for (int64_t dim = inner - 1; dim >= 0; --dim) {
    const plan::DimSlice &slice = place.dims[dim];
    int64_t local = row % slice.size;
    row /= slice.size;
    if (local >= slice.valid)
      out.logicalSize = 0;
    out.firstIndex += (slice.start + local) * stride;
    stride *= place.logicalShape[dim];
  }
  return out;
}

void fillRow(const Generator &generator, const Place &place, float *out,
             int64_t index) {
  int64_t size = place.dims.back().size;
  Row row = rowOf(place, index);
  if (generator.init.kind == plan::Init::Kind::Constant)
    std::fill_n(out, row.logicalSize, float(generator.init.a));
  else
    generator.fill(out, row.firstIndex, row.logicalSize);
  std::fill_n(out + row.logicalSize, size - row.logicalSize, 0.0f);
}

} // namespace

void initWeights(const at::Tensor &tensor, const plan::Buffer &buffer,
                 const std::vector<plan::DimSlice> &slices,
                 const plan::Init &init, int64_t seed) {
  if (init.kind == plan::Init::Kind::None || tensor.numel() == 0) {
    tensor.zero_();
    return;
  }
  Place place{buffer.logicalShape, slices};
  // A scalar is a row of one element.
  if (place.dims.empty())
    place = {{1}, {{0, 1, 1}}};
  Generator generator{init, streamOf(uint64_t(seed), buffer.param)};
  int64_t size = place.dims.back().size;
  int64_t rows = tensor.numel() / size;
  bool isDirect = tensor.is_cpu() && tensor.is_contiguous() &&
                  tensor.scalar_type() == at::kFloat;
  // Other types and devices are drawn in fp32 and copied piece by piece.
  int64_t rowsAtOnce = isDirect ? rows : plan::rowsDrawnAtOnce(rows, size);
  at::Tensor flat = isDirect ? tensor.view({rows, size})
                             : at::empty({rowsAtOnce, size}, at::kFloat);
  at::Tensor target = isDirect ? flat : tensor.view({rows, size});
  for (int64_t begin = 0; begin < rows; begin += rowsAtOnce) {
    int64_t end = std::min(rows, begin + rowsAtOnce);
    float *out = flat.mutable_data_ptr<float>();
    int64_t grain = std::max<int64_t>(1, 32768 / size);
    at::parallel_for(begin, end, grain, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row)
        fillRow(generator, place, out + (row - begin) * size, row);
    });
    if (!isDirect)
      target.narrow(0, begin, end - begin)
          .copy_(flat.narrow(0, 0, end - begin));
  }
}

} // namespace nxdt::runtime
