//===- PluginLoader.h - models from shared libraries ------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_MODELS_PLUGINLOADER_H
#define NXDT_MODELS_PLUGINLOADER_H

#include "nxdt/Model.h"

namespace nxdt {

/// Loads the shared library at `path` for good (its operators stay registered)
/// and returns its factory. Throws UserError, naming `path`, if the library
/// cannot be loaded, is not a plug-in, or was built against another ABI.
ModelFactory loadModelPlugin(const std::string &path);

} // namespace nxdt

#endif // NXDT_MODELS_PLUGINLOADER_H
