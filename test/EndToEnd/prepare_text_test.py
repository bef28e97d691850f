#!/usr/bin/env python3
"""scripts/prepare_text.py: what it writes, that it is the same each time and cached, and its errors."""

import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import pyarrow as pa

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "prepare_text.py"
WORDS = "the quick brown fox jumps over the lazy dog while a compiler lowers every operator into a plan".split()


def prepare(*arguments):
    return subprocess.run([sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True)


def write_texts(folder, count=20, lines=200):
    folder.mkdir()
    for number in range(count):
        # Every file says something of its own, so that none can be in both parts.
        text = "\n".join(f"file {number} line {i} " + " ".join(WORDS[(i * 7 + j * number) % len(WORDS)] for j in range(8)) for i in range(lines))
        (folder / f"{number}.txt").write_text(text)


def read(folder):
    return pa.ipc.open_stream(str(folder / "data-00000-of-00001.arrow")).read_all()


class PrepareTextTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.work = Path(temporary.name)
        self.text = self.work / "text"
        write_texts(self.text)

    def prepared(self, *arguments, out="out"):
        done = prepare("--text", self.text, "--out", self.work / out, "--vocab-size", 400, "--seq-length", 32, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return Path(done.stdout.strip()), done.stderr

    def test_columns_and_rows(self):
        out, _ = self.prepared()
        for part in ("train", "val"):
            table = read(out / part)
            self.assertEqual(table.column_names, ["input_ids", "attention_mask", "labels"])
            self.assertEqual({field.type for field in table.schema}, {pa.list_(pa.int64())})
            rows = table.to_pydict()
            self.assertGreater(table.num_rows, 0)
            for ids, mask, labels in zip(*(rows[name] for name in table.column_names)):
                self.assertEqual((len(ids), mask, labels), (32, [1] * 32, ids))
                self.assertTrue(0 <= min(ids) and max(ids) < 400)
            self.assertEqual(json.loads((out / part / "state.json").read_text())["_data_files"], [{"filename": "data-00000-of-00001.arrow"}])

    def test_text_survives_and_parts_are_disjoint(self):
        from tokenizers import Tokenizer

        out, _ = self.prepared("--val-rows", 1000)
        tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
        rows = {part: read(out / part)["input_ids"].to_pylist() for part in ("train", "val")}
        # The held-out rows are in order; all documents but the last, which is cut at the end of a row, are whole.
        stream = tokenizer.decode([token for row in rows["val"] for token in row], skip_special_tokens=False)
        originals = {path.read_text() for path in self.text.iterdir()}
        documents = stream.split("<|endoftext|>")
        self.assertTrue(set(documents[:-1]) <= originals)
        self.assertTrue(any(original.startswith(documents[-1]) for original in originals))
        files = {part: {number for row in rows[part] for number in re.findall(r"file (\d+) line", tokenizer.decode(row))} for part in rows}
        self.assertEqual(len(files["train"]), 19)
        self.assertEqual(len(files["val"]), 1)
        self.assertFalse(files["train"] & files["val"])

    def test_rows_are_mixed(self):
        from tokenizers import Tokenizer

        out, _ = self.prepared()
        tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
        batch = "\n".join(tokenizer.decode(row) for row in read(out / "train")["input_ids"].to_pylist()[:40])
        self.assertGreater(len(set(re.findall(r"file (\d+) line", batch))), 5)

    def test_same_bytes_and_cache(self):
        first, said = self.prepared()
        self.assertNotIn("prepared before", said)
        second, said = self.prepared(out="other")
        self.assertEqual(first.name, second.name)
        for path in sorted(path for path in first.rglob("*") if path.is_file()):
            self.assertEqual(path.read_bytes(), (second / path.relative_to(first)).read_bytes(), path)
        again, said = self.prepared()
        self.assertEqual(again, first)
        self.assertIn("prepared before", said)
        (self.text / "0.txt").write_text("another text " * 2000)
        self.assertNotEqual(self.prepared()[0], first)

    def test_binary_files_are_left_out_and_named(self):
        (self.text / "picture.png").write_bytes(bytes(range(256)) * 50)
        _, said = self.prepared()
        self.assertIn("1 binary files left out", said)

    def test_one_file(self):
        self.text = self.text / "3.txt"
        self.text.write_text(self.text.read_text() * 10)
        out, _ = self.prepared()
        self.assertGreater(read(out / "val").num_rows, 0)

    def refused(self, words, *arguments):
        done = prepare("--out", self.work / "refused", *arguments)
        self.assertEqual(done.returncode, 1, done.stderr)
        errors = [line for line in done.stderr.splitlines() if not line.startswith("[text] ")]
        self.assertEqual(len(errors), 1, done.stderr)
        self.assertTrue(errors[0].startswith("error: "), errors[0])
        for word in words:
            self.assertIn(word, errors[0])
        self.assertFalse(list((self.work / "refused").rglob("*.arrow")), "something that looks like data was left behind")

    def test_errors(self):
        (self.work / "empty").mkdir()
        (self.work / "binary").write_bytes(b"\0\1" * 1000)
        (self.work / "latin").write_bytes("Zürich\n".encode("latin-1") * 500)
        (self.work / "short").write_text("hello\n")
        self.refused(["empty", "no files"], "--text", self.work / "empty")
        self.refused(["binary", "not UTF-8"], "--text", self.work / "binary")
        self.refused(["latin", "not UTF-8"], "--text", self.work / "latin")
        self.refused(["short", "too little text", "2048"], "--text", self.work / "short")
        self.refused(["nowhere", "no such"], "--text", self.work / "nowhere")
        self.refused(["--vocab-size", "257"], "--text", self.text, "--vocab-size", 100)


if __name__ == "__main__":
    unittest.main()
