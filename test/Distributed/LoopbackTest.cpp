//===- LoopbackTest.cpp - collectives of all ranks in one process -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "RandomCollectives.h"

#include "nxdt/Support/UserError.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace nxdt::comm::test {
namespace {

std::string messageOf(const std::function<void()> &body) {
  try {
    body();
  } catch (const std::exception &e) {
    return e.what();
  }
  return "";
}

void expectContains(const std::string &text, const std::string &part) {
  EXPECT_NE(text.find(part), std::string::npos)
      << "'" << part << "' is not in: " << text;
}

TEST(Loopback, RandomCollectivesEqualPlainArithmetic) {
  uint64_t seed = 1;
  for (int64_t ranks : {1, 2, 3, 4, 6, 8, 12, 16}) {
    for (int round = 0; round < 3; ++round, ++seed) {
      RandomMesh m = randomMesh(seed, ranks);
      LoopbackWorld world(m.mesh, m.groups);
      world.run([&](RankView &rank) {
        runRandomCollectives(rank, m.groups, seed, 60);
      });
    }
  }
}

TEST(Loopback, WithoutSignaturesTheResultsAreTheSame) {
  RandomMesh m = randomMesh(77, 8);
  std::vector<uint64_t> hashes[3];
  int64_t every[] = {1, 3, 0};
  for (int i = 0; i < 3; ++i) {
    LoopbackWorld world(m.mesh, m.groups, CommOptions{every[i]});
    hashes[i].resize(8);
    world.run([&](RankView &rank) {
      hashes[i][rank.rank()] = runRandomCollectives(rank, m.groups, 77, 100);
    });
  }
  EXPECT_EQ(hashes[0], hashes[1]);
  EXPECT_EQ(hashes[0], hashes[2]);
}

TEST(Loopback, Channels) {
  // Names in another order on purpose: they are sorted.
  std::vector<ChannelSpec> specs = {
      {"z", 0, 1}, {"b", 1, 2}, {"a", 2, 0}, {"c", 1, 0}};
  LoopbackWorld world(Mesh::nxd(3, 1, 1, 2), {"tp"}, {}, specs);
  world.run([&](RankView &rank) {
    int64_t stage = rank.rank() / 2, tp = rank.rank() % 2;
    for (const ChannelSpec &spec : specs) {
      if (spec.from != stage && spec.to != stage) {
        expectContains(messageOf([&] { rank.channel(spec.name); }),
                       "no channel '" + spec.name + "' of this rank");
        continue;
      }
      Group &channel = rank.channel(spec.name);
      if (channel.ranks() !=
          std::vector<int64_t>{2 * spec.from + tp, 2 * spec.to + tp})
        throw std::runtime_error("other ranks");
      for (int64_t size : {3, 50000}) {
        at::Tensor mine = at::full({size}, double(100 * stage + tp));
        if (spec.from == stage) {
          // Read in place, transposed tensors are copied.
          at::Tensor square = at::full({size, 2}, double(tp)).t();
          startSend(channel, mine, "test")->wait();
          startSend(channel, square, "test")->wait();
          continue;
        }
        at::Tensor found = startReceive(channel, mine, "test")->wait();
        if (!found.equal(at::full({size}, double(100 * spec.from + tp))))
          throw std::runtime_error("received something else");
        at::Tensor square = at::zeros({2, size});
        startReceive(channel, square, "test")->wait();
        if (!square.equal(at::full({2, size}, double(tp))))
          throw std::runtime_error("received another square");
      }
      // Of each pair only the sender's bytes count as sent.
      int64_t bytes = (3 + 50000) * 3 * int64_t(sizeof(float));
      CollectiveCounter counter =
          channel.counters()[size_t(CollectiveOp::Broadcast)];
      if (counter.calls != 4 ||
          counter.sentBytes != (spec.from == stage ? bytes : 0))
        throw std::runtime_error("counts " + std::to_string(counter.calls) +
                                 " calls, " +
                                 std::to_string(counter.sentBytes) + " bytes");
    }
  });
}

TEST(Loopback, ChannelsThatCannotBe) {
  auto refusal = [](const Mesh &mesh, const std::vector<ChannelSpec> &specs) {
    return messageOf([&] { LoopbackWorld world(mesh, {}, {}, specs); });
  };
  Mesh mesh = Mesh::nxd(2, 1, 1, 1);
  EXPECT_EQ(refusal(mesh, {{"a", 0, 1}, {"a", 1, 0}}),
            "the channel name 'a' is empty or stands twice");
  EXPECT_EQ(refusal(mesh, {{"", 0, 1}}),
            "the channel name '' is empty or stands twice");
  EXPECT_EQ(refusal(mesh, {{"a", 0, 2}}),
            "channel 'a': goes from stage 0 to stage 2 of 2");
  EXPECT_EQ(refusal(mesh, {{"a", 1, 1}}),
            "channel 'a': goes from stage 1 to stage 1 of 2");
  Mesh without;
  without.axes = {{"dp", 2}};
  EXPECT_EQ(refusal(without, {{"a", 0, 1}}),
            "channel 'a': goes from stage 0 to stage 1 of 1");
}

TEST(Loopback, ReduceScatterIsASliceOfAllReduceBitForBit) {
  LoopbackWorld world(Mesh::nxd(1, 1, 1, 4), {"tp"});
  world.run([](RankView &rank) {
    Group &tp = rank.group("tp");
    at::Tensor x = at::full({8, 5000}, 0.1f + 1e-7f * rank.rank(),
                            at::TensorOptions().dtype(at::kFloat));
    x = x.mul(3.14159f).add(static_cast<float>(rank.rank() * 1000));
    at::Tensor whole = tp.startAllReduce(x, Reduction::Sum)->wait();
    at::Tensor part = tp.startReduceScatter(x, Reduction::Sum, 0)->wait();
    if (!part.equal(whole.narrow(0, 2 * tp.index(), 2)))
      throw std::runtime_error("differs");
  });
}

TEST(Loopback, BFloat16IsAccumulatedInFloatAndRoundedOnce) {
  LoopbackWorld world(Mesh::nxd(1, 8, 1, 1), {"dp"});
  world.run([](RankView &rank) {
    // 256 + 7 * 1: in bf16 each 256 + 1 rounds back to 256.
    at::Tensor x = at::full({3}, rank.rank() == 0 ? 256.0 : 1.0,
                            at::TensorOptions().dtype(at::kBFloat16));
    at::Tensor sum = rank.group("dp").startAllReduce(x, Reduction::Sum)->wait();
    float value = sum.to(at::kFloat).data_ptr<float>()[0];
    if (value != 264.0f) // 263 to the nearest bf16
      throw std::runtime_error("sum is " + std::to_string(value));
  });
}

TEST(Loopback, MaxAndMinHandOnNaN) {
  LoopbackWorld world(Mesh::nxd(1, 1, 1, 3), {"tp"});
  world.run([](RankView &rank) {
    for (int64_t who = 0; who < 3; ++who) {
      double value = rank.rank() == who
                         ? std::numeric_limits<double>::quiet_NaN()
                         : static_cast<double>(rank.rank());
      for (Reduction reduction : {Reduction::Max, Reduction::Min}) {
        at::Tensor x =
            at::full({2}, value, at::TensorOptions().dtype(at::kDouble));
        at::Tensor y = rank.group("tp").startAllReduce(x, reduction)->wait();
        if (!std::isnan(y.data_ptr<double>()[1]))
          throw std::runtime_error("NaN was lost");
      }
    }
  });
}

TEST(Loopback, ResultsMayGoInPlace) {
  LoopbackWorld world(Mesh::nxd(1, 1, 1, 4), {"tp"});
  world.run([](RankView &rank) {
    for (int64_t size : {3, 50000}) {
      at::Tensor x = at::ones({size});
      CollectiveCall call;
      call.op = CollectiveOp::AllReduce;
      call.input = call.output = x;
      rank.group("tp").start(call)->wait();
      if (!x.equal(at::full({size}, 4.0)))
        throw std::runtime_error("all_reduce in place");
      at::Tensor y = at::full({size}, static_cast<double>(rank.rank()));
      call.op = CollectiveOp::Broadcast;
      call.input = call.output = y;
      call.root = 2;
      rank.group("tp").start(call)->wait();
      if (!y.equal(at::full({size}, 2.0)))
        throw std::runtime_error("broadcast in place");
    }
  });
}

TEST(Loopback, CountsBytesByTheClosedForm) {
  LoopbackWorld world(Mesh::nxd(1, 1, 1, 4), {"tp"});
  world.run([](RankView &rank) {
    Group &tp = rank.group("tp");
    at::Tensor x = at::ones({4, 8192}); // 128 KiB
    tp.startAllReduce(x, Reduction::Sum)->wait();
    tp.startReduceScatter(x, Reduction::Sum, 0)->wait();
    tp.startAllGather(x, 0)->wait();
    auto counters = tp.counters();
    auto sent = [&](CollectiveOp op) {
      return counters[static_cast<size_t>(op)].sentBytes;
    };
    int64_t bytes = 4 * 8192 * 4;
    if (sent(CollectiveOp::AllReduce) != 2 * bytes * 3 / 4 ||
        sent(CollectiveOp::ReduceScatter) != bytes * 3 / 4 ||
        sent(CollectiveOp::AllGather) != bytes * 3)
      throw std::runtime_error("bytes");
  });
}

TEST(Loopback, ADisagreementIsOneMessageOnAllRanks) {
  LoopbackWorld world(Mesh::nxd(1, 1, 1, 4), {"tp"});
  std::vector<std::string> messages(4);
  std::string thrown = messageOf([&] {
    world.run([&](RankView &rank) {
      rank.status().setStep(7);
      Group &tp = rank.group("tp");
      try {
        if (rank.rank() == 2)
          tp.startAllGather(at::ones({4}), 0, "layers.1.mlp")->wait();
        else
          tp.startAllReduce(at::ones({4}), Reduction::Sum, "layers.0.attn")
              ->wait();
      } catch (const CommError &e) {
        messages[rank.rank()] = e.what();
        throw;
      }
    });
  });
  for (const std::string &message : messages)
    EXPECT_EQ(message, thrown);
  expectContains(thrown, "group tp {0,1,2,3}");
  expectContains(thrown, "ranks 0, 1, 3 at step 7, layers.0.attn, call "
                         "all_reduce(sum) of f32 [4], 16 bytes, #0");
  expectContains(thrown, "rank 2 at step 7, layers.1.mlp, calls all_gather of "
                         "f32 [4], 16 bytes, dimension 0, #0");
}

TEST(Loopback, EveryPartOfACallIsCompared) {
  auto call = [](int variant) {
    CollectiveCall c;
    c.op = CollectiveOp::AllToAll;
    c.input = at::zeros({4, 4});
    if (variant == 1)
      c.dim = 1;
    if (variant == 2)
      c.dim2 = 1;
    if (variant == 3)
      c.input = at::zeros({4, 4}, at::TensorOptions().dtype(at::kInt));
    if (variant == 4)
      c.input = at::zeros({2, 8});
    if (variant == 5)
      c.input = at::zeros({4, 6});
    return c;
  };
  for (int variant = 0; variant <= 5; ++variant) {
    LoopbackWorld world(Mesh::nxd(1, 1, 1, 2), {"tp"});
    std::string message = messageOf([&] {
      world.run([&](RankView &rank) {
        rank.group("tp").start(call(rank.rank() == 0 ? 0 : variant))->wait();
      });
    });
    EXPECT_EQ(message.empty(), variant == 0) << variant << " " << message;
  }
  for (int variant = 0; variant <= 2; ++variant) {
    LoopbackWorld world(Mesh::nxd(1, 1, 1, 2), {"tp"});
    std::string message = messageOf([&] {
      world.run([&](RankView &rank) {
        bool other = rank.rank() == 1;
        if (variant < 2)
          rank.group("tp")
              .startAllReduce(at::zeros({4}), other && variant == 1
                                                  ? Reduction::Max
                                                  : Reduction::Sum)
              ->wait();
        else
          rank.group("tp").startBroadcast(at::zeros({4}), other)->wait();
      });
    });
    EXPECT_EQ(message.empty(), variant == 0) << variant << " " << message;
  }
}

TEST(Loopback, CollectivesOfDifferentGroupsThatWaitForEachOther) {
  LoopbackWorld world(Mesh::nxd(1, 2, 1, 2), {"tp", "dp"});
  std::string message = messageOf([&] {
    world.run([](RankView &rank) {
      rank.group(rank.rank() == 0 ? "tp" : "dp")
          .startAllReduce(at::ones({2}), Reduction::Sum, "here")
          ->wait();
    });
  });
  expectContains(message, "wait for each other");
  expectContains(
      message, "rank 0: step 0, waiting for all_reduce #0 of tp {0,1} (here)");
}

TEST(Loopback, ARankThatEndsTooEarlyIsNamed) {
  LoopbackWorld world(Mesh::nxd(1, 1, 1, 2), {"tp"});
  std::string message = messageOf([&] {
    world.run([](RankView &rank) {
      if (rank.rank() == 0)
        rank.group("tp").barrier("end");
    });
  });
  expectContains(message, "rank 1: finished");
}

TEST(Loopback, AnExceptionEndsTheWaitsOfTheOthers) {
  LoopbackWorld world(Mesh::nxd(1, 1, 1, 3), {"tp"});
  std::vector<std::string> messages(3);
  std::string thrown = messageOf([&] {
    world.run([&](RankView &rank) {
      if (rank.rank() == 1)
        throw std::runtime_error("disk full");
      try {
        rank.group("tp").barrier();
      } catch (const std::exception &e) {
        messages[rank.rank()] = e.what();
        throw;
      }
    });
  });
  EXPECT_EQ(thrown, "disk full");
  EXPECT_EQ(messages[0], "rank 1 failed: disk full");
  EXPECT_EQ(messages[2], "rank 1 failed: disk full");
}

TEST(Loopback, ImpossibleCallsAreRefusedBeforeAnyoneIsBothered) {
  LoopbackWorld world(Mesh::nxd(1, 1, 1, 2), {"tp"});
  Group &tp = world.rank(0).group("tp");
  auto refused = [&](const std::function<void()> &body,
                     const std::string &part) {
    expectContains(messageOf(body), part);
    EXPECT_THROW(body(), UserError);
  };
  refused([&] { tp.startReduceScatter(at::ones({3}), Reduction::Sum, 0); },
          "not divisible by the 2 ranks: 3 % 2 = 1");
  refused([&] { tp.startAllGather(at::ones({3}), 1); }, "legal are -1 to 0");
  refused([&] { tp.startAllGather(at::ones({}), 0); }, "which has none");
  refused([&] { tp.startBroadcast(at::ones({3}), 2); }, "members 0 to 1");
  refused(
      [&] {
        tp.startAllReduce(at::ones({1}, at::TensorOptions().dtype(at::kBool)),
                          Reduction::Sum);
      },
      "no sum of bool");
  refused(
      [&] {
        tp.startAllReduce(at::ones({1}, at::TensorOptions().dtype(at::kShort)),
                          Reduction::Sum);
      },
      "no collectives for dtype Short");
  refused([&] { tp.startAllReduce(at::Tensor(), Reduction::Sum); },
          "no input tensor");
  CollectiveCall call;
  call.op = CollectiveOp::AllGather;
  call.input = at::ones({2});
  call.output = at::ones({3});
  refused([&] { tp.start(call); }, "the output has shape [3], the result [4]");
  refused([&] { world.rank(0).group("dp"); }, "no group 'dp' was declared");
}

} // namespace
} // namespace nxdt::comm::test
