"""Encoders of response texts, by name. The name is part of every score that was made with one.

`hash-ngram-v1` needs no weights. `medcpt-query` and `medcpt-article` are NCBI's MedCPT encoders: the vector of a text is the last hidden
state of its first token (https://github.com/ncbi/MedCPT), here with at most 512 tokens, which for the query encoder is what the published
evaluation uses. Texts are encoded once each, in batches of similar length, and remembered by their sha256.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidParameter, MissingEncoder, Problem, did_you_mean

DEFAULT = "hash-ngram-v1"
MODELS = {"medcpt-query": "ncbi/MedCPT-Query-Encoder", "medcpt-article": "ncbi/MedCPT-Article-Encoder"}
ENCODERS = (DEFAULT, *MODELS)
MAX_TOKENS, BATCH = 512, 32
PLACES = 2**18  # of hash-ngram-v1
FOLDERS = "BIOTOOL_ENCODERS"  # a folder with the weights' folders in it, e.g. MedCPT-Query-Encoder/


def check_encoder(encoder: str) -> str:
    """The name itself; raises InvalidParameter for an unknown one."""
    if encoder not in ENCODERS:
        raise InvalidParameter("similarity", [Problem("encoder", encoder, did_you_mean(encoder, ENCODERS))])
    return encoder


def similarity(left: Sequence[str], right: Sequence[str], encoder: str = DEFAULT, store: Path | None = None) -> np.ndarray:
    """Cosine of each pair of texts, in [-1, 1]; two texts of which one is empty have 0.

    Each distinct text is encoded once; `store`, a file, keeps the vectors of a model between runs. Raises InvalidParameter for an
    unknown encoder and MissingEncoder where its weights are not on this machine.
    Example: `similarity(["BRCA1 chromosome 17"], ["BRCA1 chromosome 17"])[0]`
    """
    check_encoder(encoder)
    if len(left) != len(right):
        raise ValueError(f"{len(left)} texts on the left, {len(right)} on the right: pairs are needed")
    if not left:
        return np.zeros(0)
    pairs = list(dict.fromkeys(zip(left, right, strict=True)))  # models often fetch the same: each pair once, each text once
    texts = sorted({text for pair in pairs for text in pair})
    place = {text: i for i, text in enumerate(texts)}
    at_left, at_right = [place[a] for a, _ in pairs], [place[b] for _, b in pairs]
    vectors = encode(texts, encoder, store)
    if encoder == DEFAULT:
        cosines = np.asarray(vectors[at_left].multiply(vectors[at_right]).sum(axis=1)).ravel()
    else:
        cosines = np.einsum("ij,ij->i", vectors[at_left], vectors[at_right])
    known = dict(zip(pairs, np.clip(cosines, -1.0, 1.0), strict=True))
    return np.array([known[pair] for pair in zip(left, right, strict=True)])


def encode(texts: Sequence[str], encoder: str = DEFAULT, store: Path | None = None) -> Any:
    """Vectors of length 1, one row a text (texts x dimensions): a sparse matrix of `hash-ngram-v1`, an array of the others.

    Raises as `similarity` does. Example: `encode(["BRCA1 chromosome 17"]).shape`
    """
    return _hash_ngram(texts) if check_encoder(encoder) == DEFAULT else _normalised(model(encoder).vectors(texts, store))


def weights(encoder: str) -> str | None:
    """A digest of the weights behind a name, which stands beside the name in scores; None for an encoder without weights."""
    return None if check_encoder(encoder) == DEFAULT else model(encoder).digest


def _hash_ngram(texts: Sequence[str]):
    """Character 3- to 5-grams within words, hashed into 2**18 places, L2-normalised; no weights, no network.

    The same numbers as sklearn's HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), alternate_sign=False). No n-gram reaches over
    a blank, so a text's counts are the sum of its words' counts, and each distinct word is cut up once, all of them together.
    """
    import scipy.sparse as sparse
    from sklearn.preprocessing import normalize

    place: defaultdict[str, int] = defaultdict()
    place.default_factory = place.__len__
    found: list[int] = []
    ends = [0]
    for text in texts:
        found += [place[word] for word in text.lower().split()]
        ends.append(len(found))
    words = sparse.csr_matrix((np.ones(len(found)), found, ends), shape=(len(texts), len(place)))
    words.sum_duplicates()
    counts = words @ _word_ngrams(list(place))
    return normalize(counts) if counts.nnz else counts


def _word_ngrams(words: Sequence[str]):
    """How often each hashed n-gram stands in each word with a blank before and behind it: words x 2**18, sparse."""
    import scipy.sparse as sparse
    from sklearn.feature_extraction.text import HashingVectorizer

    plain = [i for i, word in enumerate(words) if word.isascii()]
    letters = np.frombuffer("".join(f" {words[i]} " for i in plain).encode("ascii"), dtype=np.uint8).astype(np.uint32)
    owner: np.ndarray = np.repeat(np.array(plain, dtype=np.int64), [len(words[i]) + 2 for i in plain])
    rows, columns = [], []
    for n in range(3, 6):
        if len(letters) >= n:
            inside = owner[: len(owner) - n + 1] == owner[n - 1:]
            signed: np.ndarray = _murmur([letters[k : len(letters) - n + 1 + k][inside] for k in range(n)]).view(np.int32).astype(np.int64)
            rows.append(owner[: len(owner) - n + 1][inside])
            columns.append(np.abs(signed) % PLACES)
    at = (np.concatenate(rows), np.concatenate(columns)) if rows else ([], [])
    counts = sparse.csr_matrix((np.ones(len(at[0])), at), shape=(len(words), PLACES))
    foreign = [i for i, word in enumerate(words) if not word.isascii()]
    if foreign:  # rare in responses: sklearn hashes them
        vectorizer = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), n_features=PLACES, lowercase=False, norm=None, alternate_sign=False)
        hashed = vectorizer.transform(words[i].encode("utf-8", "replace").decode() for i in foreign)
        counts += sparse.csr_matrix((np.ones(len(foreign)), (foreign, range(len(foreign)))), shape=(len(words), len(foreign))) @ hashed
    return counts


def _murmur(letters: Sequence[np.ndarray]) -> np.ndarray:
    """MurmurHash3 (32 bits, seed 0, https://github.com/aappleby/smhasher) of 3 to 5 bytes, for many at once; `letters` are arrays of uint32."""
    def scatter(block: np.ndarray) -> np.ndarray:
        block = block * np.uint32(0xCC9E2D51)
        return ((block << 15) | (block >> 17)) * np.uint32(0x1B873593)

    whole, rest = (letters[:4], letters[4:]) if len(letters) >= 4 else ((), letters)
    value = np.zeros_like(letters[0])
    if whole:
        value ^= scatter(whole[0] | whole[1] << 8 | whole[2] << 16 | whole[3] << 24)
        value = ((value << 13) | (value >> 19)) * np.uint32(5) + np.uint32(0xE6546B64)
    if rest:
        tail = rest[0].copy()
        for k, letter in enumerate(rest[1:], 1):
            tail |= letter << 8 * k
        value ^= scatter(tail)
    value ^= np.uint32(len(letters))
    value = (value ^ value >> 16) * np.uint32(0x85EBCA6B)
    value = (value ^ value >> 13) * np.uint32(0xC2B2AE35)
    return value ^ value >> 16


def _normalised(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors.astype(float), axis=1, keepdims=True)
    return vectors / np.where(lengths == 0, 1.0, lengths)


def model(encoder: str) -> Model:
    """The loaded model of a name, kept for the session.

    It comes from the folder in BIOTOOL_ENCODERS if that is set, else from the hub or its cache on this machine; raises MissingEncoder,
    which says how to get the weights.
    """
    return _model(check_encoder(encoder), os.environ.get(FOLDERS))


@cache
def _model(encoder: str, folder: str | None) -> Model:
    from transformers import AutoModel, AutoTokenizer

    name = MODELS[encoder]
    source = name if folder is None else str(Path(folder) / name.split("/")[1])
    try:
        if folder is not None and not Path(source).is_dir():
            raise OSError("there is no such folder")
        tokenizer, network = AutoTokenizer.from_pretrained(source), AutoModel.from_pretrained(source, use_safetensors=True)
    except OSError as problem:
        first = str(problem).splitlines()[0]
        raise MissingEncoder(
            f"encoder {encoder!r} needs the weights of {name}, and {source} could not be read ({first}). With a network: "
            f"`hf download {name}`, once, with HF_HUB_OFFLINE unset. Without: copy that folder as FOLDER/{name.split('/')[1]} "
            f"and set {FOLDERS}=FOLDER. `{DEFAULT}` needs no weights, but its scores are other scores."
        ) from problem
    return Model(encoder, tokenizer, network)


class Model:
    """A tokenizer and a network that give one vector a text: the first token's last hidden state."""

    def __init__(self, name: str, tokenizer: Any, network: Any) -> None:
        import torch

        self.name, self.tokenizer = name, tokenizer
        self.network = network.eval().to("cuda" if torch.cuda.is_available() else "cpu")
        self.width = int(network.config.hidden_size)
        self.longest = min(MAX_TOKENS, int(network.config.max_position_embeddings))
        self.digest = _digest(network)
        self.known: dict[str, np.ndarray] = {}

    def vectors(self, texts: Sequence[str], store: Path | None = None) -> np.ndarray:
        """One row a text; the empty text is all zeros. What this process or the file `store` knows already is not encoded again."""
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in texts]
        if store is not None:
            self._recall(store, {k for k in keys if k not in self.known})
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self.known}
        self.known |= {key: np.zeros(self.width, dtype=np.float32) for key, text in new.items() if not text}
        self.known |= self._encode({key: text for key, text in new.items() if text})
        if store is not None:
            self._keep(store, new)
        return np.stack([self.known[key] for key in keys]) if keys else np.zeros((0, self.width), dtype=np.float32)

    def _encode(self, texts: dict[str, str]) -> dict[str, np.ndarray]:
        import torch

        cut = {key: self.tokenizer(text, truncation=True, max_length=self.longest) for key, text in texts.items()}
        order = sorted(cut, key=lambda key: len(cut[key]["input_ids"]))
        found: dict[str, np.ndarray] = {}
        for start in range(0, len(order), BATCH):
            batch = order[start:start + BATCH]
            padded = self.tokenizer.pad([cut[key] for key in batch], return_tensors="pt").to(self.network.device)
            with torch.inference_mode():
                first = self.network(**padded).last_hidden_state[:, 0, :].float().cpu().numpy()
            found |= dict(zip(batch, first, strict=True))
        return found

    def _recall(self, store: Path, keys: set[str]) -> None:
        if keys and store.is_file():
            with closing(_open(store)) as file:
                for key, vector in file.execute("SELECT text, vector FROM vectors WHERE weights = ?", (self.digest,)):
                    if key in keys:
                        self.known[key] = np.frombuffer(vector, dtype=np.float32)

    def _keep(self, store: Path, keys: Iterable[str]) -> None:
        store.parent.mkdir(parents=True, exist_ok=True)
        with closing(_open(store)) as file, file:
            file.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)", ((self.digest, k, self.known[k].tobytes()) for k in keys))


def _open(store: Path) -> sqlite3.Connection:
    file = sqlite3.connect(store)
    file.execute("CREATE TABLE IF NOT EXISTS vectors (weights TEXT, text TEXT, vector BLOB, PRIMARY KEY (weights, text))")
    return file


def _digest(network: Any) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
