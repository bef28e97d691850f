#!/usr/bin/env python3
"""Turns text into what nxdt trains on: a byte-level BPE and two Hugging Face `datasets` folders.

    .venv/bin/python scripts/prepare_text.py [--text DIR_OR_FILE] [--out DIR]

Writes below OUT, in a folder named by the content and the settings (standard output is its path, standard error says what happens):

    tokenizer.json     byte-level BPE, trained on the training part only (tokenizer_config.json beside it, for transformers)
    train/  val/       Arrow stream files as `datasets.save_to_disk` writes them; columns input_ids, attention_mask and
                       labels, lists of int64, every row SEQ_LENGTH long; labels are not shifted (the model shifts)
    summary.json       what was read, and how much came out

Without --text the text is the C++ headers of MLIR and LLVM, which every machine has that can build nxdt. A folder is
split by file (no file is in both parts), a single file by position. The same content gives the same bytes, and content
that was prepared before is not prepared again.

Needs the PyPI packages pyarrow and tokenizers (scripts/setup.sh puts them into .venv).
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

# Raised whenever the same content would give other bytes.
FORMAT = 3
END_OF_TEXT = "<|endoftext|>"
DEFAULT_SUFFIXES = (".h", ".td", ".def")
COLUMNS = ("input_ids", "attention_mask", "labels")


class UserError(Exception):
    """Something the user can put right; printed as one line, exit status 1."""


def say(message):
    print(f"[text] {message}", file=sys.stderr, flush=True)


def default_folders():
    """The include folders of MLIR and LLVM that this machine has."""
    candidates = [os.environ.get("LLVM_CONFIG", ""), "llvm-config-22", "/usr/lib/llvm-22/bin/llvm-config", "llvm-config"]
    for program in filter(None, candidates):
        try:
            done = subprocess.run([program, "--includedir"], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        folders = [Path(done.stdout.strip()) / name for name in ("mlir", "llvm")]
        if all(folder.is_dir() for folder in folders):
            return folders
    raise UserError("found no llvm-config-22, so no MLIR and LLVM headers: name a text of your own with --text DIR_OR_FILE")


def list_files(folder, suffixes):
    """Regular files below `folder` by relative path; hidden ones are left out, links to folders are not followed."""
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(where) / name
            if not name.startswith(".") and path.is_file() and (suffixes is None or path.suffix in suffixes):
                found.append((str(path.relative_to(folder.parent)), path))
    return found


def read_text(path):
    """The text of a file, or None where it is not text."""
    data = path.read_bytes()
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def read_documents(text):
    """[(name, text)] in an order that depends on nothing but the names, and how many files were not text."""
    if text is None:
        files = [entry for folder in default_folders() for entry in list_files(folder.resolve(), DEFAULT_SUFFIXES)]
    elif text.is_file():
        files = [(text.name, text)]
    elif text.is_dir():
        files = list_files(text, None)
        if not files:
            raise UserError(f"{text}: the folder holds no files")
    else:
        raise UserError(f"{text}: no such file or folder")
    documents, binary = [], 0
    for name, path in files:
        try:
            content = read_text(path)
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}") from error
        if content is None:
            binary += 1
        elif content.strip():
            documents.append((name, content))
    if not documents:
        what = "is not UTF-8 text" if binary and len(files) == 1 else f"holds no UTF-8 text ({binary} binary, {len(files) - binary} empty files)"
        raise UserError(f"{text} {what}")
    # Neighbours in a folder are alike: mix them, always in the same way.
    documents.sort(key=lambda document: hashlib.sha256(os.fsencode(document[0])).digest())
    return documents, binary


def split(documents, held_out):
    """(training documents, held-out documents); by file where there are enough of them, else by position."""
    if len(documents) >= 10:
        count = max(1, round(len(documents) * held_out))
        return documents[count:], documents[:count]
    train, val = [], []
    for name, content in documents:
        cut = content.rfind("\n", 0, int(len(content) * (1 - held_out))) + 1 or int(len(content) * (1 - held_out))
        train.append((name, content[:cut]))
        val.append((name, content[cut:]))
    return train, val


def cap(documents, limit):
    """As many documents as fit into `limit` bytes; the last one is cut."""
    taken, left = [], limit
    for name, content in documents:
        if left <= 0:
            break
        data = content.encode()[:left]
        left -= len(data)
        taken.append((name, data.decode("utf-8", errors="ignore")))
    return taken


def train_tokenizer(documents, vocab_size):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator((content for _, content in documents), trainer)
    return tokenizer


def tokenize(tokenizer, documents):
    """One long stream of token ids; every document ends with the end-of-text token (id 0)."""
    end = tokenizer.token_to_id(END_OF_TEXT)
    stream = []
    for encoding in tokenizer.encode_batch_fast([content for _, content in documents]):
        stream.extend(encoding.ids)
        stream.append(end)
    return stream


def cut_rows(stream, sequence_length):
    return [stream[start : start + sequence_length] for start in range(0, len(stream) - sequence_length + 1, sequence_length)]


def write_dataset(folder, rows):
    """Writes rows of one length as `datasets.save_to_disk` would."""
    import pyarrow as pa

    folder.mkdir(parents=True)
    sequence_length = len(rows[0])
    ids = pa.array([token for row in rows for token in row], pa.int64())
    mask = pa.array([1] * len(ids), pa.int64())
    offsets = pa.array(range(0, len(ids) + 1, sequence_length), pa.int32())
    lists = {"input_ids": ids, "attention_mask": mask, "labels": ids}
    table = pa.table([pa.ListArray.from_arrays(offsets, lists[name]) for name in COLUMNS], names=list(COLUMNS))
    feature = {"feature": {"dtype": "int64", "_type": "Value"}, "_type": "List"}
    info = {"citation": "", "description": "", "features": {name: feature for name in COLUMNS}, "homepage": "", "license": ""}
    schema = table.schema.with_metadata({"huggingface": json.dumps({"info": {"features": info["features"]}})})
    with pa.ipc.new_stream(str(folder / "data-00000-of-00001.arrow"), schema) as writer:
        writer.write_table(table.cast(schema), max_chunksize=1000)
    state = {
        "_data_files": [{"filename": "data-00000-of-00001.arrow"}],
        "_fingerprint": hashlib.sha256((folder / "data-00000-of-00001.arrow").read_bytes()).hexdigest()[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": folder.name,
    }
    (folder / "dataset_info.json").write_text(json.dumps(info, indent=2))
    (folder / "state.json").write_text(json.dumps(state, indent=2))


def positive(text):
    value = int(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, help="a folder (all of its UTF-8 files) or one file; default: the MLIR and LLVM headers")
    parser.add_argument("--out", type=Path, default=Path("nxdt_runs/text"), help="default: %(default)s")
    parser.add_argument("--vocab-size", type=positive, default=2048, help="of the BPE, the 256 bytes and the end of text included; default: %(default)s")
    parser.add_argument("--seq-length", type=positive, default=128, help="tokens per row; default: %(default)s")
    parser.add_argument("--min-rows", type=positive, default=16, help="training rows that are needed at least (a global batch); default: %(default)s")
    parser.add_argument("--max-mib", type=positive, default=4, help="text that is used at most, in MiB; default: %(default)s")
    parser.add_argument("--val-rows", type=positive, default=64, help="rows that are held out at most; default: %(default)s")
    arguments = parser.parse_args()
    if arguments.vocab_size < 257:
        raise UserError(f"--vocab-size {arguments.vocab_size}: a byte-level BPE needs at least 257 (256 bytes and the end of text)")
    return arguments


def prepare(arguments):
    documents, binary = read_documents(arguments.text)
    size = sum(len(content.encode()) for _, content in documents)
    settings = [FORMAT, arguments.vocab_size, arguments.seq_length, arguments.min_rows, arguments.max_mib, arguments.val_rows]
    digest = hashlib.sha256(json.dumps(settings).encode())
    for name, content in documents:
        digest.update(os.fsencode(name) + f"\0{len(content)}\0".encode())
        digest.update(content.encode())
    out = arguments.out / digest.hexdigest()[:12]
    source = arguments.text or "the MLIR and LLVM headers"
    if (out / "summary.json").is_file():
        say(f"{source}: prepared before")
        return out

    skipped = f"; {binary} binary files left out" if binary else ""
    say(f"{source}: {len(documents)} files, {size / 1e6:.1f} MB{skipped}")
    train, val = split(documents, 0.05)
    limit = arguments.max_mib << 20
    used = sum(len(content.encode()) for _, content in train)
    if used > limit:
        say(f"using the first {arguments.max_mib} MiB of a fixed shuffle of the files (--max-mib)")
        train = cap(train, limit)
    val = cap(val, limit)

    tokenizer = train_tokenizer(train, arguments.vocab_size)
    train_ids, val_ids = tokenize(tokenizer, train), tokenize(tokenizer, val)
    for part, ids, rows in (("training", train_ids, arguments.min_rows), ("held-out", val_ids, 1)):
        if len(ids) < rows * arguments.seq_length:
            raise UserError(
                f"{source}: too little text: its {part} part has {len(ids)} tokens, and {rows} rows of "
                f"{arguments.seq_length} need {rows * arguments.seq_length}"
            )

    # All or nothing: what bears the final name is complete.
    arguments.out.mkdir(parents=True, exist_ok=True)
    building = arguments.out / f".{out.name}.{os.getpid()}"
    shutil.rmtree(building, ignore_errors=True)
    try:
        train_rows, val_rows = cut_rows(train_ids, arguments.seq_length), cut_rows(val_ids, arguments.seq_length)
        # nxdt takes rows in order: a batch shall be a mixture, not one file.
        random.Random(FORMAT).shuffle(train_rows)
        # Of the held-out rows as many as asked for, from all over them.
        stride = max(1, len(val_rows) // arguments.val_rows)
        val_rows = val_rows[::stride][: arguments.val_rows]
        write_dataset(building / "train", train_rows)
        write_dataset(building / "val", val_rows)
        tokenizer.save(str(building / "tokenizer.json"))
        tokenizer_config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": END_OF_TEXT,
            "eos_token": END_OF_TEXT,
            "model_max_length": arguments.seq_length,
        }
        (building / "tokenizer_config.json").write_text(json.dumps(tokenizer_config, indent=2) + "\n")
        summary = {
            "text": str(source),
            "files": len(documents),
            "vocab_size": tokenizer.get_vocab_size(),
            "sequence_length": arguments.seq_length,
            "train_rows": len(train_rows),
            "val_rows": len(val_rows),
            "train_bytes": sum(len(content.encode()) for _, content in train),
        }
        (building / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
        shutil.rmtree(out, ignore_errors=True)
        building.rename(out)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    say(
        f"{tokenizer.get_vocab_size()} tokens, {summary['train_bytes'] / len(train_ids):.2f} bytes each; "
        f"{len(train_rows)} training and {len(val_rows)} held-out rows of {arguments.seq_length}"
    )
    return out


def main():
    # File names need not be text.
    sys.stdout.reconfigure(errors="backslashreplace")
    sys.stderr.reconfigure(errors="backslashreplace")
    try:
        out = prepare(parse_arguments())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"error: {error.name} is missing: run scripts/setup.sh, then use .venv/bin/python", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
