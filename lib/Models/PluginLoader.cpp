//===- PluginLoader.cpp - models from shared libraries --------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Models/PluginLoader.h"

#include "nxdt/Support/UserError.h"

#include <dlfcn.h>

#include <cstring>
#include <exception>

using namespace nxdt;

ModelFactory nxdt::loadModelPlugin(const std::string &path) {
  std::string where = "model.plugin: " + path + ": ";
  void *handle = nullptr;
  try {
    // Static initialisers run here, TORCH_LIBRARY's among them.
    handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  } catch (const std::exception &e) {
    std::string text = e.what();
    throw UserError(where +
                    "loading it failed: " + text.substr(0, text.find('\n')));
  }
  if (!handle) {
    const char *reason = dlerror();
    throw UserError(
        where + "cannot be loaded: " + (reason ? reason : "unknown reason"));
  }
  auto *plugin =
      static_cast<const ModelPlugin *>(dlsym(handle, "nxdt_model_plugin"));
  if (!plugin)
    throw UserError(where + "has no symbol 'nxdt_model_plugin': end one of its "
                            "files with NXDT_REGISTER_MODEL(factory) of "
                            "nxdt/Model.h");
  if (std::strcmp(plugin->abiTag, NXDT_MODEL_ABI_TAG) != 0)
    throw UserError(where + "was built for '" + plugin->abiTag +
                    "', this is '" NXDT_MODEL_ABI_TAG "': build it again with "
                    "the headers of this nxdt and its torch");
  if (!plugin->create)
    throw UserError(where + "registers no factory (a null pointer)");
  return plugin->create;
}
