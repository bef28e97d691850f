//===- DatasetFolder.cpp - what save_to_disk leaves in a folder -----------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Data/DatasetFolder.h"

#include "nxdt/Support/UserError.h"

#include "nlohmann/json.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace fs = std::filesystem;

namespace nxdt::runtime {

using Json = nlohmann::json;

namespace {

class FolderReader {
public:
  FolderReader(const std::string &path, const std::string &what)
      : path(path), what(what) {}

  DatasetFolder read() const;

private:
  [[noreturn]] void fail(const std::string &problem) const {
    throw UserError(what + ": " + problem);
  }
  Json readJson(const std::string &file) const;
  std::vector<std::string> files(const Json &state, const char *key) const;
  [[noreturn]] void noState() const;

  const std::string &path;
  const std::string &what;
};

Json FolderReader::readJson(const std::string &file) const {
  std::ifstream stream(file, std::ios::binary);
  if (!stream)
    fail(file + ": cannot be read");
  std::stringstream text;
  text << stream.rdbuf();
  Json json = Json::parse(text.str(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object())
    fail(file + ": is no JSON object");
  return json;
}

/// Names the splits of a DatasetDict, or says what a dataset folder is.
void FolderReader::noState() const {
  std::string dict = path + "/dataset_dict.json";
  if (!fs::exists(dict))
    fail(path + ": is no dataset folder: it has no state.json (what "
                "`Dataset.save_to_disk` of Hugging Face `datasets` writes)");
  Json json = readJson(dict);
  std::string splits;
  if (json.contains("splits") && json["splits"].is_array())
    for (const Json &split : json["splits"])
      if (split.is_string())
        splits += (splits.empty() ? "" : ", ") + path + "/" +
                  split.get<std::string>();
  fail(path + ": is a DatasetDict; name one of its splits: " +
       (splits.empty() ? "(it has none)" : splits));
}

std::vector<std::string> FolderReader::files(const Json &state,
                                             const char *key) const {
  std::vector<std::string> result;
  if (!state.contains(key) || state[key].is_null())
    return result;
  std::string where = path + "/state.json: " + key;
  if (!state[key].is_array())
    fail(where + ": is no list");
  for (const Json &entry : state[key]) {
    if (!entry.is_object() || !entry.contains("filename") ||
        !entry["filename"].is_string())
      fail(where + ": " + entry.dump() + " names no file");
    fs::path name(entry["filename"].get<std::string>());
    bool inside = !name.empty() && name.is_relative();
    for (const fs::path &part : name)
      inside = inside && part != "..";
    if (!inside)
      fail(where + ": '" + name.string() + "' is no file of this folder");
    std::string file = (fs::path(path) / name).string();
    if (!fs::is_regular_file(file))
      fail(file + ": there is no such file, but state.json names it");
    result.push_back(file);
  }
  return result;
}

DatasetFolder FolderReader::read() const {
  if (!fs::exists(path))
    fail(path + ": there is no such folder");
  if (!fs::is_directory(path))
    fail(path + ": is no folder");
  if (!fs::exists(path + "/state.json"))
    noState();
  Json state = readJson(path + "/state.json");
  DatasetFolder folder;
  folder.dataFiles = files(state, "_data_files");
  folder.indicesFiles = files(state, "_indices_data_files");
  if (folder.dataFiles.empty())
    fail(path + ": is empty: state.json names no data files");
  return folder;
}

} // namespace

DatasetFolder readDatasetFolder(const std::string &path,
                                const std::string &what) {
  return FolderReader(path, what).read();
}

} // namespace nxdt::runtime
