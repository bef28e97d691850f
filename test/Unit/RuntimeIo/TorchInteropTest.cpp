//===- TorchInteropTest.cpp - our .pt files and libtorch's own code -------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include "runtime/Checkpoint/TorchTensor.h"

#include "ATen/core/Dict.h"
#include "ATen/core/ivalue.h"
#include "ATen/ops/arange.h"
#include "ATen/ops/equal.h"
#include "ATen/ops/ones.h"
#include "caffe2/serialize/inline_container.h"
#include "torch/csrc/jit/serialization/pickle.h"

#include <bit>
#include <cmath>

using namespace nxdt::runtime;
using namespace nxdt::runtime::test;

namespace {

std::vector<char> bytesOf(const std::string &path) {
  std::string text = readFile(path);
  return {text.begin(), text.end()};
}

/// What torch.save of a plain value writes, by libtorch's own pickler.
void saveByTorch(const std::string &path, const c10::IValue &value) {
  std::string pickle;
  std::vector<at::Tensor> tensors;
  torch::jit::Pickler pickler(
      [&](const char *data, size_t size) { pickle.append(data, size); },
      nullptr, nullptr, nullptr,
      [&](const at::Tensor &tensor) {
        tensors.push_back(tensor);
        return std::to_string(tensors.size() - 1);
      },
      /*tag_aggregates=*/false);
  pickler.protocol();
  pickler.pushIValue(value);
  pickler.stop();
  caffe2::serialize::PyTorchStreamWriter writer(path);
  writer.writeRecord("data.pkl", pickle.data(), pickle.size());
  for (size_t i = 0; i < tensors.size(); ++i)
    writer.writeRecord("data/" + std::to_string(i), tensors[i].const_data_ptr(),
                       tensors[i].nbytes());
  writer.writeEndOfFile();
}

} // namespace

TEST(TorchInterop, TorchReadsOurs) {
  TempDir dir;
  at::Tensor matrix = at::arange(6, at::kFloat).reshape({2, 3});
  PtDict dict;
  dict.emplace_back("m", toHost(matrix));
  dict.emplace_back("b", toHost(matrix.to(at::kBFloat16).t()));
  dict.emplace_back("s", "text");
  dict.emplace_back("l", PtList{1, 2.5, PtValue(), true, int64_t{1} << 50});
  dict.emplace_back("e", toHost(at::ones({0, 2}, at::kLong)));
  writePt(dir / "a.pt", dict);
  auto value = torch::jit::pickle_load(bytesOf(dir / "a.pt"));
  auto back = value.toGenericDict();
  EXPECT_TRUE(at::equal(back.at("m").toTensor(), matrix));
  EXPECT_TRUE(at::equal(back.at("b").toTensor(), matrix.to(at::kBFloat16).t()));
  EXPECT_EQ(back.at("s").toStringRef(), "text");
  auto list = back.at("l").toList();
  EXPECT_EQ(list.get(0).toInt(), 1);
  EXPECT_EQ(list.get(1).toDouble(), 2.5);
  EXPECT_TRUE(list.get(2).isNone());
  EXPECT_TRUE(list.get(3).toBool());
  EXPECT_EQ(list.get(4).toInt(), int64_t{1} << 50);
  EXPECT_EQ(back.at("e").toTensor().sizes(), (at::IntArrayRef{0, 2}));
}

TEST(TorchInterop, TorchReadsEveryFileOfACheckpoint) {
  TempDir dir;
  CheckpointData data = sampleCheckpoint(3);
  std::string tag = saveCheckpoint(dir.path, "x", data);
  std::string ranks = "/dp_rank_00_tp_rank_00_pp_rank_00.pt";
  auto load = [&](const std::string &name) {
    return torch::jit::pickle_load(bytesOf(tag + name)).toGenericDict();
  };
  auto model = load("/model" + ranks);
  EXPECT_EQ(model.size(), data.model.size());
  EXPECT_TRUE(at::equal(model.at("model.norm.weight").toTensor(),
                        toTorch(data.model["model.norm.weight"])));
  auto optim = load("/optim" + ranks);
  auto moments = optim.at("exp_avg").toGenericDict();
  EXPECT_TRUE(
      at::equal(moments.at("model.norm.weight").toTensor(),
                toTorch(data.optimizer["exp_avg"]["model.norm.weight"])));
  auto content = load("/user_content.pt");
  EXPECT_EQ(content.at("step").toInt(), 3);
  EXPECT_EQ(content.at("config").toGenericDict().at("lr").toDouble(), 0.001);
}

TEST(TorchInterop, WeReadTorchs) {
  TempDir dir;
  c10::impl::GenericDict dict(c10::StringType::get(), c10::AnyType::get());
  at::Tensor base = at::arange(12, at::kFloat).reshape({3, 4});
  dict.insert("plain", base);
  dict.insert("transposed", base.t());
  dict.insert("column", base.select(1, 2));
  dict.insert("number", int64_t{300});
  dict.insert("big", int64_t{1} << 40);
  dict.insert("negative", int64_t{-5});
  dict.insert("real", 0.5);
  dict.insert("flag", true);
  dict.insert("none", c10::IValue());
  dict.insert("text", std::string("x"));
  c10::impl::GenericList list(c10::AnyType::get());
  list.push_back(int64_t{7});
  list.push_back(std::string("x"));
  dict.insert("list", list);
  dict.insert("tuple", c10::ivalue::Tuple::create({int64_t{1}, 2.0}));
  saveByTorch(dir / "a.pt", dict);
  PtValue back = readPt(dir / "a.pt");
  auto tensor = [&](const char *key) {
    return toTorch(*back.find(key)->get<HostTensor>());
  };
  EXPECT_TRUE(at::equal(tensor("plain"), base));
  EXPECT_TRUE(at::equal(tensor("transposed"), base.t()));
  EXPECT_TRUE(at::equal(tensor("column"), base.select(1, 2)));
  EXPECT_EQ(*back.find("number")->get<int64_t>(), 300);
  EXPECT_EQ(*back.find("big")->get<int64_t>(), int64_t{1} << 40);
  EXPECT_EQ(*back.find("negative")->get<int64_t>(), -5);
  EXPECT_EQ(*back.find("real")->get<double>(), 0.5);
  EXPECT_EQ(*back.find("flag")->get<bool>(), true);
  EXPECT_TRUE(back.find("none")->get<std::monostate>());
  EXPECT_EQ(*back.find("text")->get<std::string>(), "x");
  EXPECT_EQ(*back.find("list")->get<PtList>()->at(1).get<std::string>(), "x");
  EXPECT_EQ(*back.find("tuple")->get<PtList>()->at(1).get<double>(), 2.0);
}

TEST(TorchInterop, ConversionsAreTorchs) {
  // Every 16-bit pattern of the exponent and top mantissa, with two tails.
  std::vector<float> values;
  for (uint32_t top = 0; top < 0x10000; ++top)
    for (uint32_t tail : {0x0000u, 0x1000u, 0x8000u, 0x8001u}) {
      auto value = std::bit_cast<float>(top << 16 | tail);
      if (std::isfinite(value))
        values.push_back(value);
    }
  for (float value : values) {
    ASSERT_EQ(floatToF16(value), c10::Half(value).x) << value;
    ASSERT_EQ(floatToBf16(value), c10::BFloat16(value).x) << value;
  }
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    auto half = static_cast<uint16_t>(bits);
    float ours = f16ToFloat(half);
    auto torchs = static_cast<float>(c10::Half(half, c10::Half::from_bits()));
    ASSERT_TRUE(ours == torchs || (std::isnan(ours) && std::isnan(torchs)));
  }
}

TEST(TorchInterop, ToHostSharesMemory) {
  at::Tensor tensor = at::arange(4, at::kFloat);
  HostTensor host = toHost(tensor);
  EXPECT_EQ(static_cast<const void *>(host.data.get()),
            tensor.const_data_ptr());
  EXPECT_EQ(toTorch(host).const_data_ptr(), tensor.const_data_ptr());
  for (at::ScalarType type : {at::kDouble, at::kFloat, at::kBFloat16, at::kHalf,
                              at::kLong, at::kInt, at::kByte, at::kBool})
    EXPECT_EQ(torchType(planType(type)), type);
}
