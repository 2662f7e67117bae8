"""Both query languages against an evaluator that knows nothing of the atlas: it makes random queries as trees, and decides each
record by looking at the rows of the facts files. Then pages, sorting and chosen fields of the same searches."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from functools import cache
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest
from werkzeug.test import Client

from biotool_lib.atlas import uniprot_kb
from biotool_lib.atlas.app import application
from biotool_lib.atlas.store import FACTS, read_table

Row = dict[str, str | None]
Leaf = tuple[str, Callable[[Row], bool]]


@cache
def client() -> Client:
    return Client(application())


@cache
def facts(table: str) -> list[Row]:
    """The rows of a facts file, read as text."""
    path = next(one for one in (FACTS / f"{table}.tsv", FACTS / f"{table}.tsv.gz") if one.exists())
    columns, lines = read_table(path)
    return [dict(zip([name for name, _ in columns], line, strict=True)) for line in lines]


def listed(text: str | None) -> list[str]:
    return text.split("|") if text else []


# ---- UniProt -------------------------------------------------------------------------------------

@cache
def proteins() -> dict[str | None, Row]:
    return {one["accession"]: one for one in facts("proteins")}


@cache
def genes_of(accession: str) -> frozenset[str]:
    one = proteins()[accession]
    found = {one["gene"] or "", *listed(one["gene_synonyms"])}
    for gene in json.loads(one["genes_json"] or "[]"):
        for value in gene.values():
            found |= {name["value"] for name in (value if isinstance(value, list) else [value])}
    return frozenset(found - {""})


@cache
def split_words(text: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[\W_]+", text.lower()) if word)


def says(texts: list[str], phrase: str) -> bool:
    """Whether the words of a phrase stand side by side in one of the texts."""
    wanted = split_words(phrase)
    lines = [split_words(text) for text in texts]
    return any(line[at:at + len(wanted)] == wanted for line in lines for at in range(len(line) - len(wanted) + 1))


def fits(texts: list[str], pattern: str) -> bool:
    """Whether a word of the texts fits a pattern with asterisks."""
    head, _, tail = pattern.lower().partition("*")
    return any(word.startswith(head) and word.endswith(tail) and len(word) >= len(head) + len(tail) for text in texts for word in split_words(text))


def protein_leaf(rng: random.Random) -> Leaf:
    some = rng.choice(facts("proteins"))
    names = lambda one: [one["name"] or "", *listed(one["short_names"]), *listed(one["alternative_names"])]  # noqa: E731
    low, high = sorted(rng.sample(range(50, 1500), 2))
    left, right = rng.choice("[{"), rng.choice("]}")
    year = rng.randint(1986, 2012)
    words = [word for word in split_words(some["name"] or "protein") if word.isalpha()] or ["protein"]
    keyword = rng.choice(listed(some["keywords"]) or ["Receptor"])
    gene = rng.choice(sorted(genes_of(some["accession"] or "")) or ["TP53"])
    gene = gene if re.fullmatch(r"\w+", gene) else "EGFR"
    inside = lambda value: (value >= low if left == "[" else value > low) and (value <= high if right == "]" else value < high)  # noqa: E731
    makers: list[Callable[[], Leaf]] = [
        lambda: (f"accession:{some['accession']}", lambda one: one["accession"] == some["accession"]),
        lambda: (f"gene_exact:{gene.lower()}", lambda one: gene.lower() in {name.lower() for name in genes_of(one["accession"] or "")}),
        lambda: (f"gene:{gene}", lambda one: says(list(genes_of(one["accession"] or "")), gene)),
        lambda: (f"gene:{gene[:2]}*", lambda one: fits(list(genes_of(one["accession"] or "")), f"{gene[:2]}*")),
        lambda: (f"gene:*{gene[-2:]}", lambda one: fits(list(genes_of(one["accession"] or "")), f"*{gene[-2:]}")),
        lambda: (f"protein_name:{rng.choice(words)}".upper().replace("PROTEIN_NAME", "protein_name"), lambda one: False),
        lambda: (f'protein_name:"{" ".join(words[:2])}"', lambda one: says(names(one), " ".join(words[:2]))),
        lambda: (f"reviewed:{'true' if some['status'] == 'reviewed' else 'false'}", lambda one: one["status"] == some["status"]),
        lambda: (f"organism_id:{some['taxon_id']}", lambda one: one["taxon_id"] == some["taxon_id"]),
        lambda: (f'keyword:"{keyword}"', lambda one: says(listed(one["keywords"]), keyword)),
        lambda: (f"length:{left}{low} TO {high}{right}", lambda one: inside(int(one["length"] or -1))),
        lambda: (f"mass:[{low * 100} TO *]", lambda one: int(one["mass"] or -1) >= low * 100),
        lambda: (f"length:[* TO {high}]", lambda one: 0 < int(one["length"] or -1) <= high),
        lambda: (f"date_created:[{year}-01-01 TO {year + 6}-06-30]", lambda one: f"{year}-01-01" <= (one["first_public"] or "") <= f"{year + 6}-06-30"),
        lambda: (f"existence:{some['existence']}", lambda one: one["existence"] == some["existence"]),
        lambda: (f"(gene_exact:{gene} OR gene_exact:TP53)", lambda one: not {gene.lower(), "tp53"}.isdisjoint(n.lower() for n in genes_of(one["accession"] or ""))),
        lambda: (f"gene:({gene} OR TP53)", lambda one: any(says(list(genes_of(one["accession"] or "")), name) for name in (gene, "TP53"))),
    ]
    numbers = re.findall(r"\d+\.\d+\.\d+\.\d+", f"{some['ec_numbers']} {some['description_json']}") or ["3.4.21.5"]
    makers.append(lambda: (f"ec:{numbers[-1]}", lambda one: numbers[-1] in re.findall(r"[\w.-]+", f"{one['ec_numbers']} {one['description_json']}")))
    text, test = rng.choice(makers)()
    if text.startswith("protein_name:") and '"' not in text:
        word = text.partition(":")[2]
        return text, lambda one: says(names(one), word)
    return text, test


def protein_tree(rng: random.Random, depth: int = 3) -> tuple[Leaf, str]:
    """A random query with its test, and its outermost operator; AND binds tighter than OR, so only OR needs brackets in AND."""
    if depth == 0 or rng.random() < 0.25:
        return protein_leaf(rng), "leaf"
    operator = rng.choice(["AND", "OR", "NOT", "blank"])
    if operator == "NOT":
        (text, test), kind = protein_tree(rng, depth - 1)
        inner = text if kind == "leaf" else f"({text})"
        return (f"({rng.choice(['NOT ', '-', '!'])}{inner})", lambda one: not test(one)), "leaf"
    parts = [protein_tree(rng, depth - 1) for _ in range(rng.randint(2, 3))]
    safe = {"AND": ("leaf", "AND"), "OR": ("leaf", "AND", "OR"), "blank": ("leaf",)}[operator]
    texts = [text if kind in safe else f"({text})" for (text, _), kind in parts]
    sign = rng.choice([operator, {"AND": "&&", "OR": "||"}.get(operator, "")])
    tests = [test for (_, test), _ in parts]
    joined = " ".join(texts) if operator == "blank" else f" {sign} ".join(texts)
    decide = any if operator == "OR" else all
    if operator == "blank":
        joined, operator = f"({joined})", "leaf"
    return (joined, lambda one: decide(test(one) for test in tests)), operator


def uniprot(path: str, **arguments: object):
    return client().get(path, query_string={key: str(value) for key, value in arguments.items()})


@pytest.mark.parametrize("seed", range(12))
def test_uniprot_queries_agree_with_the_rows(seed: int) -> None:
    rng = random.Random(f"uniprot {seed}")
    found_some = 0
    for _ in range(25):
        (query, test), _ = protein_tree(rng)
        expected = {one["accession"] for one in facts("proteins") if test(one)}
        collection = uniprot_kb.PROTEINS.searcher
        assert {collection.documents[place]["accession"] for place in collection.search(query)} == expected, query
        answer = uniprot("/uniprotkb/search", query=query, size=0)
        assert answer.status_code == 200 and answer.headers["X-Total-Results"] == str(len(expected)) and answer.get_json() == {"results": []}
        found_some += bool(expected)
        if 0 < len(expected) <= 60:
            pages_hold(rng, query, expected)
    assert found_some > 8


def pages_hold(rng: random.Random, query: str, expected: set[str | None]) -> None:
    """Every page of a search with random size and sorting: each record once, in order, with the chosen fields only."""
    size, direction = rng.choice([3, 7, 25, 500]), rng.choice(["asc", "desc"])
    column, key = rng.choice([("accession", lambda one: one["primaryAccession"]), ("length", lambda one: one["sequence"]["length"])])
    answer, seen = uniprot("/uniprotkb/search", query=query, size=size, fields="accession,length", sort=f"{column} {direction}"), []
    while True:
        page = answer.get_json()["results"]
        assert answer.headers["X-Total-Results"] == str(len(expected)) and len(page) == min(size, len(expected) - len(seen))
        for one in page:
            assert set(one) - {"extraAttributes"} == {"entryType", "primaryAccession", "sequence"} and list(one["sequence"]) == ["length"]
        seen += page
        link = re.fullmatch(r'<(https://rest\.uniprot\.org/[^>]*)>; rel="next"', answer.headers.get("Link", ""))
        if not link:
            break
        parts = urlsplit(link[1])
        assert parse_qs(parts.query)["query"] == [query]
        answer = client().get(f"{parts.path}?{parts.query}")
    assert {one["primaryAccession"] for one in seen} == expected and len(seen) == len(expected), query
    assert [key(one) for one in seen] == sorted(map(key, seen), reverse=direction == "desc"), query
    streamed = uniprot("/uniprotkb/stream", query=query, fields="accession", sort=f"{column} {direction}").get_json()["results"]
    assert [one["primaryAccession"] for one in streamed] == [one["primaryAccession"] for one in seen]


# ---- Entrez --------------------------------------------------------------------------------------

@cache
def entrez_words(text: str) -> tuple[str, ...]:
    """Words as Entrez indexes them here: letters and digits with what joins them inside."""
    parts = re.split(r"[^\w.\-/+']+", text.lower())
    return tuple(word for word in (re.sub(r"^[^a-z0-9]+|[.\-_/']+$", "", part) for part in parts) if word)


def has_words(texts: list[str], phrase: str) -> bool:
    wanted = tuple(phrase.lower().split())
    return any(line[at:at + len(wanted)] == wanted for line in map(entrez_words, texts) for at in range(len(line) - len(wanted) + 1))


def equals(texts: list[str | None], value: str) -> bool:
    return value.lower() in {(text or "").lower() for text in texts}


def number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else -1


def title_word(rng: random.Random, text: str | None) -> str:
    return rng.choice(re.findall(r"(?<![\w.\-/+'])[a-z]{5,12}(?![\w.\-/+'])", (text or "").lower()) or ["kinase"])


def gene_leaf(rng: random.Random, some: Row) -> Leaf:
    names = lambda one: [one["symbol"], *listed(one["aliases"])]  # noqa: E731
    titles = lambda one: [one["name"] or "", *listed(one["designations"])]  # noqa: E731
    word, symbol = title_word(rng, some["name"]), some["symbol"] if re.fullmatch(r"\w+", some["symbol"] or "") else "BRCA2"
    low = rng.randint(1, 30)
    anywhere = lambda one: [*names(one), *titles(one), *(one[c] for c in ("map_location", "summary", "refseq_rna", "refseq_protein", "organism", "common_name"))]  # noqa: E731
    return rng.choice([
        (f'"{word}"', lambda one: has_words([text for text in anywhere(one) if text], word)),
        (f"{symbol}[{rng.choice(['gene', 'sym', 'Gene Name'])}]", lambda one: equals(names(one), symbol or "")),
        (f"{symbol}[pref]", lambda one: equals([one["symbol"]], symbol or "")),
        (f"{word}[{rng.choice(['title', 'Gene/Protein Name'])}]", lambda one: has_words(titles(one), word)),
        (f"{word[:4]}*[gfn]", lambda one: any(w.startswith(word[:4]) for w in entrez_words(one["name"] or "")) or (one["name"] or "").lower().startswith(word[:4])),
        (f"{some['chromosome'] or 'X'}[chr]", lambda one: equals([one["chromosome"]], some["chromosome"] or "X")),
        (f"{some['taxon_id']}[taxid]", lambda one: one["taxon_id"] == some["taxon_id"]),
        (f"{low}:{low + 6}[exon count]", lambda one: low <= number(one["exon_count"]) <= low + 6),
    ])


def pubmed_leaf(rng: random.Random, some: Row) -> Leaf:
    authors = lambda one: listed(one["authors"]) or [one["first_author"] or ""]  # noqa: E731
    word, year = title_word(rng, some["title"]), rng.randint(1975, 2012)
    two = re.search(r"(?<![\w.\-/+'])[a-z]{4,} [a-z]{4,}(?![\w.\-/+'])", some["title"] or "")
    phrase = two[0] if two else "crystal structure"
    author = authors(some)[0] if re.fullmatch(r"[A-Za-z]+ [A-Z]{2}", authors(some)[0]) else "Wang Y"
    journal = some["source_name"] if re.fullmatch(r"[A-Za-z ]+", some["source_name"] or "") else "Nature"
    return rng.choice([
        (f"{word}[ti]", lambda one: has_words([one["title"] or ""], word)),
        (f'"{phrase}"[Title]', lambda one: has_words([one["title"] or ""], phrase)),
        (f"{word[:5]}*[tiab]", lambda one: any(w.startswith(word[:5]) for w in entrez_words(one["title"] or "")) or (one["title"] or "").lower().startswith(word[:5])),
        (f"{author}[au]", lambda one: any(name.lower() == author.lower() or name.lower().startswith(author.lower()) for name in authors(one))),
        (f'"{journal}"[ta]', lambda one: equals([one["source_name"], one["journal"], one["issn"]], journal or "")),
        (f"{year}:{year + 4}[dp]", lambda one: f"{year}/01/01" <= (one["sort_date"] or "") <= f"{year + 4}/12/31"),
        (f"{year}/03:{year + 1}/02[pdat]", lambda one: f"{year}/03/01" <= (one["sort_date"] or "") <= f"{year + 1}/02/31"),
        (f"{some['volume'] or '12'}[vi]", lambda one: equals([one["volume"]], some["volume"] or "12")),
    ])


def snp_leaf(rng: random.Random, some: Row) -> Leaf:
    genes = lambda one: [part for gene in listed(one["genes"]) for part in gene.rsplit(":", 1)]  # noqa: E731
    gene = (genes(some) or ["CYP2D6"])[0]
    low = rng.randint(1, 200) * 1_000_000
    return rng.choice([
        (f"{gene}[gene]", lambda one: equals(genes(one), gene)),
        (f"{some['chr'] or '7'}[chr]", lambda one: equals([one["chr"]], some["chr"] or "7")),
        (f"{low}:{low + 30_000_000}[chrpos]", lambda one: low <= number((one["chrpos"] or "").rpartition(":")[2]) <= low + 30_000_000),
        (f"rs{some['rs']}[rs]", lambda one: one["rs"] == some["rs"]),
        (f"{some['snp_class'] or 'snv'}[scls]", lambda one: equals([one["snp_class"]], some["snp_class"] or "snv")),
    ])


def protein_record_leaf(rng: random.Random, some: Row) -> Leaf:
    title = lambda one: (one["title"] or "").removeprefix("RecName: Full=")  # noqa: E731
    word, low = title_word(rng, title(some)), rng.randint(50, 1200)
    gene = some["gene"] if re.fullmatch(r"\w+", some["gene"] or "") else "INS"
    return rng.choice([
        (f"{word}[title]", lambda one: has_words([title(one)], word)),
        (f"{gene}[gene]", lambda one: equals([one["gene"]], gene or "")),
        (f"{low}:{low + 150}[slen]", lambda one: low <= number(one["length"]) <= low + 150),
        (f"{(some['accession'] or '').split('.')[0]}[accn]", lambda one: (one["accession"] or "").split(".")[0] == (some["accession"] or "").split(".")[0]),
        (f"{some['database']}[filter]", lambda one: one["database"] == some["database"]),
    ])


def taxon_leaf(rng: random.Random, some: Row) -> Leaf:
    rank = some["rank"] or "species"
    return rng.choice([
        (f'"{rank}"[rank]', lambda one: one["rank"] == rank),
        (f'"{some["name"]}"[scin]', lambda one: equals([one["name"]], some["name"] or "")),
        (f"txid{some['parent_id'] or '9605'}[Next Level]", lambda one: one["parent_id"] == (some["parent_id"] or "9605")),
    ])


DATABASES: dict[str, tuple[str, str, Callable[[random.Random, Row], Leaf]]] = {
    "gene": ("entrez_genes", "gene_id", gene_leaf), "pubmed": ("pubmed", "pmid", pubmed_leaf), "snp": ("snps", "rs", snp_leaf),
    "protein": ("entrez_proteins", "accession", protein_record_leaf), "taxonomy": ("entrez_taxonomy", "taxon_id", taxon_leaf),
}


def entrez_tree(rng: random.Random, rows: list[Row], leaf: Callable[[random.Random, Row], Leaf], depth: int = 2) -> Leaf:
    """Operators of Entrez have equal rank and work from left to right."""
    text, test = leaf(rng, rng.choice(rows))
    for _ in range(rng.randint(0, 3)):
        operator = rng.choice(["AND", "OR", "NOT", ""])
        other, check = entrez_tree(rng, rows, leaf, depth - 1) if depth and rng.random() < 0.4 else leaf(rng, rng.choice(rows))
        # a default value, because the name is bound anew in each turn
        test = {
            "AND": lambda one, a=test, b=check: a(one) and b(one), "OR": lambda one, a=test, b=check: a(one) or b(one),
            "NOT": lambda one, a=test, b=check: a(one) and not b(one),
        }[operator or "AND"]
        text = f"{text} {operator} ({other})" if " " in other else f"{text} {operator} {other}"
    return text, test


def eutils(tool: str, **arguments: object) -> str:
    return client().get(f"/entrez/eutils/{tool}.fcgi", query_string={key: str(value) for key, value in arguments.items()}).get_data(as_text=True)


@pytest.mark.parametrize("db", DATABASES)
def test_entrez_queries_and_pages_agree_with_the_rows(db: str) -> None:
    table, key, leaf = DATABASES[db]
    rng, rows = random.Random(f"entrez {db}"), facts(table)
    found_some = 0
    for _ in range(60):
        query, test = entrez_tree(rng, rows, leaf)
        expected = {one[key] for one in rows if test(one)}
        whole = json.loads(eutils("esearch", db=db, term=query, retmode="json", retmax=100_000))["esearchresult"]
        assert set(whole["idlist"]) == expected and int(whole["count"]) == len(expected) == len(whole["idlist"]), query
        start, size = rng.randint(0, 30), rng.randint(1, 40)
        page = json.loads(eutils("esearch", db=db, term=query, retmode="json", retstart=start, retmax=size))["esearchresult"]
        assert page["idlist"] == whole["idlist"][start:start + size] and page["count"] == whole["count"]
        xml = ET.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", eutils("esearch", db=db, term=query, retstart=start, retmax=size)))
        assert [one.text for one in xml.iterfind("IdList/Id")] == page["idlist"] and xml.findtext("Count") == whole["count"]
        assert xml.findtext("RetMax") == str(len(page["idlist"])) and xml.findtext("RetStart") == str(start)
        assert json.loads(eutils("esearch", db=db, term=query, retmode="json", rettype="count"))["esearchresult"]["count"] == whole["count"]
        found_some += bool(expected)
    assert found_some > 25


def test_entrez_history_gives_the_same_records_as_ids() -> None:
    found = json.loads(eutils("esearch", db="gene", term="kinase[title] AND human[orgn]", retmode="json", usehistory="y", retmax=500))["esearchresult"]
    kept = json.loads(eutils("esummary", db="gene", WebEnv=found["webenv"], query_key=found["querykey"], retmode="json", retstart=3, retmax=5))["result"]
    assert kept["uids"] == found["idlist"][3:8]
    assert kept == json.loads(eutils("esummary", db="gene", id=",".join(found["idlist"][3:8]), retmode="json"))["result"]
    assert eutils("efetch", db="gene", WebEnv=found["webenv"], query_key=found["querykey"], retmax=4) == eutils("efetch", db="gene", id=",".join(found["idlist"][:4]))
