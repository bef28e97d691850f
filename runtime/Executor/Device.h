//===- Device.h - where the plan's tensors live -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The only place of the runtime that knows what a device is called. CUDA's
// half of libtorch is loaded here, and only when it is asked for: nothing of
// nxdt links it.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_EXECUTOR_DEVICE_H
#define NXDT_RUNTIME_EXECUTOR_DEVICE_H

#include "c10/core/Device.h"

#include <string>

namespace nxdt::runtime {

/// What became of the search for a GPU.
struct GpuSearch {
  bool found = false;
  /// One line: the GPU, or what was looked for and not found.
  std::string line;
};

/// Loads libtorch_cuda.so from the folder of the loaded libtorch_cpu.so and
/// asks it for devices. Never throws; searches once per process.
const GpuSearch &findGpu();

/// The device of a plan ("cpu" or "cuda"), ready to be used. UserError if the
/// plan wants a GPU and there is none.
c10::Device openDevice(const std::string &planDevice, const std::string &what);

/// Waits until everything that was started on `device` is done (nothing to
/// wait for on the CPU).
void synchronize(c10::Device device);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_EXECUTOR_DEVICE_H
