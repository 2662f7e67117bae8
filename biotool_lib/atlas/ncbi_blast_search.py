"""Sequence searches over the atlas's own sequences: real local alignments with Karlin-Altschul statistics.

Scores are those of BLASTP (BLOSUM62, gaps 11/1) and BLASTN (2/-3, gaps 5/2) without composition adjustment or
low-complexity filter. A subject is scored when two exact words of three residues lie near each other on one diagonal
(proteins) and grow to 22 bits without gaps, or when it shares a word of eleven bases (DNA); one alignment is kept per subject.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from functools import cache

from Bio.Align import PairwiseAligner, substitution_matrices
from Bio.Seq import Seq

from biotool_lib.atlas.store import rows

ROUTES: list = []
_guard = threading.Lock()


@dataclass(frozen=True)
class Scoring:
    """Scores and the published statistics that belong to them (tables of the NCBI toolkit's blast_stat.c)."""

    gap_open: int
    gap_extend: int
    lam: float
    k: float
    h: float
    alpha: float
    beta: float
    match: int = 0
    mismatch: int = 0


PROTEIN = Scoring(11, 1, 0.267, 0.041, 0.14, 1.9, -30)
NUCLEOTIDE = Scoring(5, 2, 0.625, 0.41, 0.78, 0.8, -2, 2, -3)
# program -> (query letters, subject letters); both sides of a translated search are compared as proteins
PROGRAMS = {"blastp": ("protein", "protein"), "blastn": ("dna", "dna"), "blastx": ("dna", "protein"), "tblastn": ("protein", "dna")}
_DATABASES = {
    "protein": {
        "nr": "1",
        "swissprot": "database = 'swissprot'",
        "refseq_protein": "database = 'refseq'",
        "refseq_select_prot": "database = 'refseq'",
        "pdb": "0",
        "pat": "0",
        "env_nr": "0",
        "landmark": "0",
        "nr_cluster_seq": "1",
    },
    "dna": {
        "nt": "1",
        "core_nt": "1",
        "nr": "1",
        "refseq_rna": "substr(accession, 1, 3) IN ('NM_', 'NR_')",
        "refseq_select_rna": "substr(accession, 1, 3) IN ('NM_', 'NR_')",
        "refseq_genomes": "substr(accession, 1, 3) = 'NC_'",
        "refseq_genomic": "substr(accession, 1, 3) IN ('NC_', 'NG_')",
        "refseqgene": "substr(accession, 1, 3) = 'NG_'",
        "est": "0",
        "pdb": "0",
        "wgs": "0",
        "refseq_representative_genomes": "substr(accession, 1, 3) = 'NC_'",
    },
}


@dataclass(frozen=True)
class Subject:
    """A sequence that is searched."""

    accession: str
    title: str
    organism: str
    taxon: int | None
    sequence: str


@dataclass
class Hit:
    """The best alignment with one subject; positions count from 1 on the strand as stored."""

    subject: Subject
    score: int
    bits: float
    evalue: float
    query_from: int
    query_to: int
    hit_from: int
    hit_to: int
    query_row: str
    hit_row: str
    middle: str
    query_frame: int
    hit_frame: int

    @property
    def identity(self) -> int:
        """Columns with the same letter."""
        return sum(a == b and a != "-" for a, b in zip(self.query_row, self.hit_row, strict=True))

    @property
    def positive(self) -> int:
        """Columns that score above zero."""
        return sum(letter not in " " for letter in self.middle)

    @property
    def gaps(self) -> int:
        """Columns with a gap."""
        return self.query_row.count("-") + self.hit_row.count("-")


@dataclass
class Report:
    """A finished search."""

    hits: list[Hit]
    sequences: int
    letters: int
    length_adjustment: int
    space: int
    scoring: Scoring


def known_database(program: str, name: str) -> bool:
    """Whether the service has a database of this name for a program."""
    return name.lower() in _DATABASES[PROGRAMS[program][1]]


@cache
def subjects(kind: str, name: str) -> tuple[Subject, ...]:
    """The sequences of one database, with their words for seeding."""
    condition = _DATABASES[kind][name]
    table = "entrez_proteins" if kind == "protein" else "entrez_nucleotides"
    found = []
    for one in rows(f"SELECT * FROM {table} WHERE sequence IS NOT NULL AND ({condition}) ORDER BY accession"):
        title = (one["title"] or "").strip() or one["gene"] or ""
        if one["organism"] and not title.endswith("]") and kind == "protein":
            title = f"{title} [{one['organism']}]"
        found.append(Subject(one["accession"], title, one["organism"] or "", one["taxon_id"], one["sequence"].upper()))
    return tuple(found)


@dataclass(frozen=True)
class View:
    """One reading of the query (strand or frame) with its words."""

    frame: int
    text: str
    words: dict[str, list[int]]

    def seeds(self, target: str, size: int) -> bool:
        """Whether a subject is worth scoring."""
        if size > 3:
            return any(target[at : at + size] in self.words for at in range(len(target) - size + 1))
        last: dict[int, int] = {}
        done: dict[int, int] = {}
        for at in range(len(target) - size + 1):
            for place in self.words.get(target[at : at + size], ()):
                diagonal = at - place
                if at < done.get(diagonal, 0):
                    continue
                before = last.get(diagonal)
                if before is None or at - before > 40:
                    last[diagonal] = at
                elif at - before >= size:
                    score, done[diagonal] = _extend(self.text, target, place, at)
                    if score >= _TRIGGER:
                        return True
                    last[diagonal] = at
        return False


_TRIGGER = 41  # raw score of an ungapped match (22 bits) from which a gapped one is tried, as in BLASTP
_DROP = 16  # an extension stops when it has lost this much


@cache
def _pairs() -> dict[tuple[str, str], int]:
    matrix = substitution_matrices.load("BLOSUM62")
    return {(a, b): int(matrix[a, b]) for a in matrix.alphabet for b in matrix.alphabet}


def _extend(query: str, target: str, place: int, at: int) -> tuple[int, int]:
    """The best ungapped score through a word match, and where in the target the extension ended."""
    pairs, total, end = _pairs(), 0, at
    for step, start in ((1, 0), (-1, -1)):
        score = best = 0
        offset = start
        while 0 <= place + offset < len(query) and 0 <= at + offset < len(target) and score > best - _DROP:
            score += pairs.get((query[place + offset], target[at + offset]), -4)
            best = max(best, score)
            offset += step
        total += best
        end = max(end, at + offset)
    return total, end


def _view(frame: int, text: str, size: int) -> View:
    words: dict[str, list[int]] = {}
    for at in range(len(text) - size + 1):
        words.setdefault(text[at : at + size], []).append(at)
    return View(frame, text, words)


@cache
def _aligner(protein: bool) -> PairwiseAligner:
    aligner = PairwiseAligner()
    aligner.mode = "local"
    scoring = PROTEIN if protein else NUCLEOTIDE
    if protein:
        aligner.substitution_matrix = substitution_matrices.load("BLOSUM62")
    else:
        aligner.match_score, aligner.mismatch_score = scoring.match, scoring.mismatch
    aligner.open_gap_score = -(scoring.gap_open + scoring.gap_extend)
    aligner.extend_gap_score = -scoring.gap_extend
    return aligner


def _frames(text: str) -> list[tuple[int, str]]:
    """The six reading frames of a nucleotide sequence as (frame, protein)."""
    frames = []
    for sign, strand in ((1, text), (-1, str(Seq(text).reverse_complement()))):
        for shift in range(3):
            part = strand[shift : shift + (len(strand) - shift) // 3 * 3]
            frames.append((sign * (shift + 1), str(Seq(part).translate())))
    return frames


def _views(text: str, kind: str, translated: bool) -> list[tuple[int, str]]:
    """What is compared: the sequence itself, its two strands, or its six frames."""
    if kind == "protein":
        return [(0, text)]
    return _frames(text) if translated else [(1, text), (-1, str(Seq(text).reverse_complement()))]


def length_adjustment(scoring: Scoring, query: int, letters: int, sequences: int) -> int:
    """The expected length of a chance alignment, by which query and subjects are shortened (fixed point of the toolkit's formula)."""
    low, high = 0.0, float(max(query - 1, 0))
    ratio, logk = scoring.alpha / scoring.lam, math.log(scoring.k)
    for _ in range(60):  # the largest l with K (m-l)(n-Nl) > max(m, n) and l <= alpha/lambda ln(K(m-l)(n-Nl)) + beta
        length = (low + high) / 2
        space = (query - length) * (letters - sequences * length)
        if space > 0 and letters - sequences * length > 0 and length <= ratio * (logk + math.log(space)) + scoring.beta:
            low = length
        else:
            high = length
    return int(low)


def run(program: str, database: str, query: str, expect: float = 10.0, most: int = 100) -> Report:
    """Search one query; raises KeyError for an unknown program or database."""
    query_kind, subject_kind = PROGRAMS[program]
    as_protein = program != "blastn"
    scoring = PROTEIN if as_protein else NUCLEOTIDE
    pool = subjects(subject_kind, database.lower())
    query = query.upper()
    views = [_view(frame, text, 3 if as_protein else 11) for frame, text in _views(query, query_kind, as_protein)]
    shrink = 3 if subject_kind == "dna" and as_protein else 1
    letters = sum(len(one.sequence) for one in pool) // shrink
    length = len(query) // (3 if query_kind == "dna" and as_protein else 1)
    adjust = length_adjustment(scoring, length, letters, len(pool)) if pool else 0
    space = max(length - adjust, 1) * max(letters - len(pool) * adjust, 1)
    with _guard:
        scored = []
        for subject in pool:
            found = _score(subject, views, as_protein, subject_kind)
            if found is not None:
                bits = (scoring.lam * found[0] - math.log(scoring.k)) / math.log(2)
                evalue = space * 2.0**-bits
                if evalue <= expect:
                    scored.append((evalue, -found[0], subject.accession, bits, found, subject))
        scored.sort(key=lambda one: one[:3])
        hits = [_align(subject, found, bits, evalue, as_protein, len(query)) for evalue, _, _, bits, found, subject in scored[:most]]
    return Report(hits, len(pool), letters * shrink, adjust, space, scoring)


_Scored = tuple[int, int, str, int, str]  # score, query frame and letters, subject frame and letters


def _score(subject: Subject, views: list[View], as_protein: bool, subject_kind: str) -> _Scored | None:
    """The best score of a subject over all readings of both sequences, without the alignment itself."""
    aligner, size = _aligner(as_protein), 3 if as_protein else 11
    targets = _translated(subject) if as_protein and subject_kind == "dna" else [(0 if as_protein else 1, subject.sequence)]
    best: _Scored | None = None
    for view in views:
        for frame, target in targets:
            if view.seeds(target, size):
                score = int(aligner.score(target, view.text))
                score -= 0 if as_protein else score % 2  # the statistics of 2/-3 hold for even scores only
                if score > 0 and (best is None or score > best[0]):
                    best = (score, view.frame, view.text, frame, target)
    return best


def _align(subject: Subject, scored: _Scored, bits: float, evalue: float, as_protein: bool, query_length: int) -> Hit:
    """The alignment behind a score, with positions on the stored sequences."""
    score, frame, text, target_frame, target = scored
    found = _aligner(as_protein).align(target, text)[0]
    hit_span, query_span = (found.coordinates[0][0], found.coordinates[0][-1]), (found.coordinates[1][0], found.coordinates[1][-1])
    hit_row, query_row = str(found[0]), str(found[1])
    query_from, query_to = _place(query_span, frame, query_length, as_protein and frame != 0)
    hit_from, hit_to = _place(hit_span, target_frame, len(subject.sequence), as_protein and target_frame != 0)
    if not as_protein and frame == -1:  # BLASTN shows the query forwards and the subject backwards
        query_from, query_to = query_to, query_from
        query_row, hit_row = _flip(query_row), _flip(hit_row)
        hit_from, hit_to = hit_to, hit_from
        frame, target_frame = 1, -1
    return Hit(
        subject, score, bits, evalue, query_from, query_to, hit_from, hit_to, query_row, hit_row, _middle(query_row, hit_row, as_protein), frame, target_frame
    )


@cache
def _translated(subject: Subject) -> list[tuple[int, str]]:
    return _frames(subject.sequence)


def _flip(row: str) -> str:
    return row[::-1].translate(str.maketrans("ACGTRYKMBDHV", "TGCAYRMKVHDB"))


def _place(span: tuple[int, int], frame: int, length: int, translated: bool) -> tuple[int, int]:
    """Positions from 1 on the stored strand; for frames and strands read backwards, from > to."""
    start, stop = int(span[0]), int(span[1])
    if translated:
        shift = abs(frame) - 1
        first, last = start * 3 + shift + 1, stop * 3 + shift
    else:
        first, last = start + 1, stop
    return (first, last) if frame >= 0 else (length - first + 1, length - last + 1)


def _middle(query: str, hit: str, as_protein: bool) -> str:
    if not as_protein:
        return "".join("|" if a == b else " " for a, b in zip(query, hit, strict=True))
    matrix = _aligner(True).substitution_matrix
    known = set(matrix.alphabet)
    return "".join(a if a == b else "+" if a in known and b in known and matrix[a, b] > 0 else " " for a, b in zip(query, hit, strict=True))
