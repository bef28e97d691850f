//===- PtFileTest.cpp - torch.save files ----------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include "runtime/Checkpoint/Pickle.h"
#include "runtime/Checkpoint/Zip.h"

using namespace nxdt::runtime;
using namespace nxdt::runtime::test;
using nxdt::plan::DType;

namespace {

/// An archive around a pickle written by hand, with one storage of 16 bytes.
std::string archive(const TempDir &dir, const std::string &pickle) {
  std::string path = dir / "x.pt";
  ZipWriter zip(path);
  zip.add("x/data.pkl", pickle.data(), pickle.size());
  zip.add("x/data/0", "0123456789abcdef", 16);
  zip.finish();
  return path;
}

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (int value : values)
    text.push_back(static_cast<char>(value));
  return text;
}

/// A float tensor over storage "0": offset, shape and stride of one dimension.
std::string tensorPickle(int elements, int offset, int size, int stride,
                         const std::string &type = "FloatStorage") {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + bytes({'X', 7, 0, 0, 0}) +
         "storage" + "ctorch\n" + type + "\n" + bytes({'X', 1, 0, 0, 0}) + "0" +
         bytes({'X', 3, 0, 0, 0}) + "cpu" + bytes({'K', elements}) + "tQ" +
         bytes({'K', offset}) + bytes({'K', size, 0x85, 'K', stride, 0x85}) +
         "\x89"
         "ccollections\nOrderedDict\n)RtR.";
}

} // namespace

TEST(PtFile, RoundTrip) {
  TempDir dir;
  uint8_t flags[3] = {1, 0, 1};
  PtDict dict;
  dict.emplace_back("none", PtValue());
  dict.emplace_back("yes", true);
  dict.emplace_back("int", -7);
  dict.emplace_back("long", int64_t{1} << 60);
  dict.emplace_back("float", 0.1);
  dict.emplace_back("text", "gr\xc3\xbc\xc3\x9f");
  dict.emplace_back("list", PtList{1, "two", PtList{}});
  dict.emplace_back(3, PtDict{{"inner", 1.5}});
  dict.emplace_back("matrix", floats({2, 3}, {1, 2, 3, 4, 5, 6}));
  dict.emplace_back("flags", makeHostTensor(DType::Bool, {3}, flags));
  dict.emplace_back("scalar", floats({}, {42}));
  dict.emplace_back("empty", floats({0, 5}, {}));
  WrittenFile written = writePt(dir / "a.pt", dict);
  EXPECT_EQ(written.sizeBytes,
            static_cast<int64_t>(std::filesystem::file_size(dir / "a.pt")));
  PtValue back = readPt(dir / "a.pt");
  EXPECT_TRUE(back.find("none")->get<std::monostate>());
  EXPECT_EQ(*back.find("yes")->get<bool>(), true);
  EXPECT_EQ(*back.find("int")->get<int64_t>(), -7);
  EXPECT_EQ(*back.find("long")->get<int64_t>(), int64_t{1} << 60);
  EXPECT_EQ(*back.find("float")->get<double>(), 0.1);
  EXPECT_EQ(*back.find("text")->get<std::string>(), "gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(back.find("list")->get<PtList>()->size(), 3u);
  EXPECT_EQ(*back.get<PtDict>()->at(7).first.get<int64_t>(), 3);
  EXPECT_TRUE(same(*back.find("matrix")->get<HostTensor>(),
                   floats({2, 3}, {1, 2, 3, 4, 5, 6})));
  EXPECT_TRUE(same(*back.find("flags")->get<HostTensor>(),
                   makeHostTensor(DType::Bool, {3}, flags)));
  EXPECT_EQ(*back.find("scalar")->get<HostTensor>()->as<float>(), 42.0f);
  EXPECT_EQ(back.find("empty")->get<HostTensor>()->shape,
            (std::vector<int64_t>{0, 5}));
  EXPECT_EQ(back.find("gone"), nullptr);
  // The same content gives the same bytes.
  EXPECT_EQ(writePt(dir / "b.pt", dict).crc32c, written.crc32c);
}

TEST(PtFile, ManyEntries) {
  TempDir dir;
  PtDict dict;
  for (int i = 0; i < 2500; ++i)
    dict.emplace_back("k" + std::to_string(i),
                      PtList(i % 100 == 99 ? 1500 : 2, i));
  writePt(dir / "a.pt", dict);
  PtValue back = readPt(dir / "a.pt");
  ASSERT_EQ(back.get<PtDict>()->size(), 2500u);
  EXPECT_EQ(back.find("k2499")->get<PtList>()->size(), 1500u);
  EXPECT_EQ(*back.find("k2499")->get<PtList>()->back().get<int64_t>(), 2499);
}

TEST(PtFile, TruncationsAreRefused) {
  TempDir dir;
  std::string path = dir / "a.pt";
  writePt(path, PtDict{{"w", floats({2}, {1, 2})}});
  std::string whole = readFile(path);
  for (size_t size = 0; size < whole.size(); size += 5) {
    put(path, whole.substr(0, size));
    expectError([&] { readPt(path); }, {path});
  }
}

TEST(PtFile, FlippedBitsNeverCrash) {
  TempDir dir;
  std::string path = dir / "a.pt";
  writePt(path, PtDict{{"w", floats({2}, {1, 2})}, {"n", PtList{1, "x"}}});
  std::string whole = readFile(path);
  size_t refused = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    put(path, damaged);
    for (bool verify : {true, false})
      try {
        readPt(path, verify);
      } catch (const nxdt::UserError &error) {
        ++refused;
        EXPECT_EQ(std::string(error.what()).rfind(path, 0), 0u);
      }
  }
  EXPECT_GT(refused, whole.size() / 4);
}

TEST(PtFile, DamagedRecord) {
  TempDir dir;
  std::string path = dir / "a.pt";
  writePt(path, PtDict{{"w", floats({64}, std::vector<float>(64, 1.5f))}});
  std::string whole = readFile(path);
  spoil(path, whole.find("archive/data/0") + 100);
  expectError([&] { readPt(path); },
              {path, "record 'archive/data/0' is damaged"});
}

TEST(PtFile, RunsNoCode) {
  TempDir dir;
  auto refuse = [&](const std::string &pickle,
                    std::initializer_list<std::string> parts) {
    std::string path = archive(dir, pickle);
    expectError([&] { readPt(path); }, parts);
  };
  refuse("cos\nsystem\n" + bytes({'X', 2, 0, 0, 0}) + "ls\x85R.",
         {"wants to call 'os.system'"});
  refuse("cbuiltins\neval\n.", {"holds 'builtins.eval'"});
  refuse(std::string("cos\nsystem\n)\x81."), {"opcode 129"});
  refuse("ccollections\nOrderedDict\n)R}b.", {"opcode 98"});
}

TEST(PtFile, BrokenPickles) {
  TempDir dir;
  auto refuse = [&](const std::string &pickle,
                    std::initializer_list<std::string> parts) {
    std::string path = archive(dir, pickle);
    expectError([&] { readPt(path); }, parts);
  };
  refuse("", {"it ends too early"});
  refuse(bytes({0x80, 4, 'N', '.'}), {"protocol that torch.save does not use"});
  refuse(".", {"its stack is empty"});
  refuse("NN.", {"values are left"});
  refuse("e.", {"a mark is missing"});
  refuse("N(Ne.", {"appended to what is no list"});
  refuse("}(Nu.", {"set in what is no dict"});
  refuse("}(NNu.", {"neither a string nor an integer"});
  refuse(bytes({'h', 9, '.'}), {"recalls entry 9"});
  refuse(bytes({'X', 0xff, 0xff, 0xff, 0xff}), {"it ends too early"});
  refuse(bytes({0x8a, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1, '.'}),
         {"an integer beyond 64 bits"});
  // A list that contains itself.
  refuse(bytes({']', 'q', 0, 'h', 0, 'a', '.'}), {"contains itself"});
  refuse(std::string(5000, ']') + std::string(4999, 'a') + ".",
         {"nested deeper than 100"});
  refuse("(" + std::string(200000, '('), {"it ends too early"});
}

TEST(PtFile, TextBombs) {
  TempDir dir;
  std::string pickle = "]" + bytes({'X', 0, 0, 16, 0}) +
                       std::string(1 << 20, 'x') + bytes({'q', 0, 'a'});
  for (int i = 0; i < 70; ++i)
    pickle += bytes({'h', 0, 'a'});
  std::string path = archive(dir, pickle + ".");
  expectError([&] { readPt(path); }, {"repeats more than 64 MiB of text"});
}

TEST(PtFile, HostileTensors) {
  TempDir dir;
  auto read = [&](const std::string &pickle) {
    return readPt(archive(dir, pickle));
  };
  // The good one first: the others differ from it by one number.
  PtValue good = read(tensorPickle(4, 1, 2, 1));
  EXPECT_EQ(0, std::memcmp(good.get<HostTensor>()->data.get(), "456789ab", 8));
  PtValue strided = read(tensorPickle(4, 0, 2, 2));
  EXPECT_EQ(0,
            std::memcmp(strided.get<HostTensor>()->data.get(), "012389ab", 8));
  expectError([&] { read(tensorPickle(5, 0, 2, 1)); },
              {"storage '0' should hold 5 elements, but has 16 bytes"});
  expectError([&] { read(tensorPickle(4, 0, 5, 1)); },
              {"shape [5] that reaches behind its storage of 4 elements"});
  expectError([&] { read(tensorPickle(4, 3, 2, 1)); },
              {"reaches behind its storage"});
  expectError([&] { read(tensorPickle(4, 0, 2, 4)); },
              {"reaches behind its storage"});
  expectError([&] { read(tensorPickle(4, 0, 200, 0)); },
              {"a tensor of shape [200] expanded over"});
  expectError([&] { read(tensorPickle(4, 0, 2, 1, "ComplexFloatStorage")); },
              {"a tensor of type 'torch.ComplexFloatStorage'"});
}
