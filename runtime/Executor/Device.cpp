//===- Device.cpp - where the plan's tensors live -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Executor/Device.h"
#include "nxdt/Support/UserError.h"

#include "ATen/Context.h"
#include "ATen/detail/CUDAHooksInterface.h"
#include "c10/core/impl/DeviceGuardImplInterface.h"
#include "c10/util/Exception.h"

#include <dlfcn.h>
#include <filesystem>

namespace nxdt::runtime {
namespace {

/// The folder of the libtorch_cpu.so that this process runs with.
std::filesystem::path torchLibraryFolder() {
  Dl_info info;
  // Any function of libtorch_cpu.so will do.
  if (!dladdr(reinterpret_cast<const void *>(&at::globalContext), &info) ||
      !info.dli_fname)
    return {};
  std::error_code error;
  auto path = std::filesystem::canonical(info.dli_fname, error);
  return error ? std::filesystem::path() : path.parent_path();
}

GpuSearch search() {
  std::filesystem::path library = torchLibraryFolder() / "libtorch_cuda.so";
  std::error_code error;
  if (!std::filesystem::exists(library, error))
    return {false, "no libtorch_cuda.so beside libtorch_cpu.so (looked for " +
                       library.string() + ")"};
  // Asked first: loading libtorch_cuda takes seconds and ends in an obscure
  // message on a machine without a driver.
  if (!dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL))
    return {false, "no NVIDIA driver (looked for libcuda.so.1)"};
  if (!dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL)) {
    const char *reason = dlerror();
    return {false, "libtorch_cuda.so does not load: " +
                       std::string(reason ? reason : "unknown reason")};
  }
  try {
    int64_t count = at::detail::getCUDAHooks().deviceCount();
    if (count < 1)
      return {false, "the NVIDIA driver names no device"};
    return {true,
            std::to_string(count) + " CUDA device" + (count == 1 ? "" : "s")};
  } catch (const c10::Error &e) {
    return {false,
            std::string("CUDA does not start: ") + e.what_without_backtrace()};
  } catch (const std::exception &e) {
    return {false, std::string("CUDA does not start: ") + e.what()};
  }
}

} // namespace

const GpuSearch &findGpu() {
  static const GpuSearch result = search();
  return result;
}

c10::Device openDevice(const std::string &planDevice, const std::string &what) {
  if (planDevice == "cpu")
    return c10::Device(c10::DeviceType::CPU);
  if (planDevice != "cuda")
    throw UserError(what + ": unknown device '" + planDevice +
                    "' (known: cpu, cuda)");
  const GpuSearch &gpu = findGpu();
  if (!gpu.found)
    throw UserError(what + ": was compiled for a GPU (device: cuda), but " +
                    gpu.line +
                    "; compile it with trainer.accelerator=cpu to run it here");
  at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
  return c10::Device(c10::DeviceType::CUDA, 0);
}

void synchronize(c10::Device device) {
  if (!device.is_cpu())
    c10::impl::getDeviceGuardImpl(device.type())
        ->synchronizeDevice(device.index());
}

} // namespace nxdt::runtime
