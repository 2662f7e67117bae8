"""The searchable databases of the atlas: which fields each has, and how its rows are spelled for searching."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache

from biotool_lib.atlas.ncbi_index import Field, Index
from biotool_lib.atlas.store import rows

ROUTES: list = []
SEARCHABLE = ("gene", "pubmed", "protein", "nuccore", "snp", "taxonomy", "clinvar")
_ALL = Field("ALL", "All Fields", tags=("all",), in_all=False)
_UID = Field("UID", "UID", "number", in_all=False)
_ORGN = Field("ORGN", "Organism", "values", ("orgn", "organism:exp", "primary organism", "porgn"))
_FILT = Field("FILT", "Filter", "values", ("filter", "sb"), in_all=False)
_PROP = Field("PROP", "Properties", "values", ("prop",), in_all=False)


def split(text: str | None) -> list[str]:
    """The parts of a list cell."""
    return [one for one in (text or "").split("|") if one]


@cache
def index(database: str) -> Index:
    """The index of one database, built on first use. Raises KeyError for a database that the atlas cannot search."""
    return {
        "gene": _gene,
        "pubmed": _pubmed,
        "protein": _protein,
        "nuccore": _nuccore,
        "nucleotide": _nuccore,
        "snp": _snp,
        "taxonomy": _taxonomy,
        "clinvar": _clinvar,
    }[database]()


def _clean(record: Mapping[str, Sequence[str | None]]) -> dict[str, list[str]]:
    return {name: [one for one in texts if one] for name, texts in record.items()}


@cache
def lineage() -> dict[str, list[str]]:
    """Taxon id -> ids of its ancestors, nearest first, as far as the tables know them."""
    parents = {str(one["taxon_id"]): str(one["parent_id"]) for one in rows("SELECT taxon_id, parent_id FROM entrez_taxonomy WHERE parent_id IS NOT NULL")}
    above = {}
    for uid in parents:
        chain, seen = [], {uid}
        at = parents.get(uid)
        while at and at not in seen and at != "1":
            seen.add(at)
            chain.append(at)
            at = parents.get(at)
        above[uid] = chain
    return above


@cache
def taxon_names() -> dict[str, list[str]]:
    """Taxon id -> scientific and other names."""
    names: dict[str, list[str]] = defaultdict(list)
    for one in rows("SELECT taxon_id, name, common_name FROM entrez_taxonomy"):
        names[str(one["taxon_id"])] += [name for name in (one["name"], one["common_name"]) if name]
    for one in rows("SELECT taxon_id, name FROM entrez_taxon_names WHERE class NOT IN ('authority', 'misspelling', 'misnomer')"):
        names[str(one["taxon_id"])].append(one["name"])
    return names


def organism(built: Index, taxon: object, name: str | None, common: str | None = None) -> list[str | None]:
    """Every name under which a record of this organism is found: its own, its synonyms, its ancestors'."""
    uid = str(taxon or "")
    own = [name, common, f"txid{uid}" if uid else None, *taxon_names().get(uid, [])]
    for other in own[1:]:
        if other and name and not other.startswith("txid"):
            built.canonical.setdefault(other.lower(), name)
    if name:
        built.canonical[name.lower()] = name
    above = [other for one in lineage().get(uid, []) for other in (*taxon_names().get(one, [])[:1], f"txid{one}")]
    return [*own, *above]


def _gene() -> Index:
    built = Index(
        "gene",
        [
            _ALL,
            _UID,
            _ORGN,
            _FILT,
            _PROP,
            Field("GENE", "Gene Name", "values", ("gene", "sym", "symbol", "gene symbol")),
            Field("PREF", "Preferred Symbol", "values", ("pref", "preferred symbol")),
            Field("TITL", "Gene/Protein Name", "words", ("title", "titl", "gene/protein name")),
            Field("GFN", "Gene Full Name", "words", ("gfn", "full name")),
            Field("CHR", "Chromosome", "values", ("chr",), in_all=False),
            Field("MV", "Default Map Location", "values", ("map location", "maploc")),
            Field("WORD", "Text Word", "words", ("text word", "tw", "text")),
            Field("TID", "Taxonomy ID", "values", ("taxid", "taxonomy id"), in_all=False),
            Field("ACCN", "Nucleotide/Protein Accession", "values", ("accession", "accn")),
            Field("CPOS", "Base Position", "number", ("chrpos",), in_all=False),
            Field("XC", "Exon Count", "number", ("exon count",), in_all=False),
            Field("GL", "Gene Length", "number", ("gene length",), in_all=False),
        ],
    )
    found = rows(
        "SELECT * FROM entrez_genes ORDER BY CASE taxon_id WHEN 9606 THEN 0 WHEN 10090 THEN 1 WHEN 10116 THEN 2 ELSE 3 END, "
        "COALESCE(gene_weight, 0) DESC, gene_id"
    )
    for one in found:
        kinds = {"gene with protein product": "genetype protein coding", "protein coding gene": "genetype protein coding", "pseudogene": "genetype pseudo"}
        start, stop = one["chr_start"], one["chr_stop"]
        built.add(
            str(one["gene_id"]),
            _clean(
                {
                    "UID": [str(one["gene_id"])],
                    "GENE": [one["symbol"], *split(one["aliases"])],
                    "PREF": [one["symbol"]],
                    "TITL": [one["name"], *split(one["designations"])],
                    "GFN": [one["name"]],
                    "CHR": [one["chromosome"]],
                    "MV": [one["map_location"]],
                    "WORD": [one["summary"]],
                    "TID": [str(one["taxon_id"] or "")],
                    "ORGN": organism(built, one["taxon_id"], one["organism"], one["common_name"]),
                    "ACCN": [part for acc in (one["refseq_rna"], one["refseq_protein"]) if acc for part in (acc, acc.split(".")[0])],
                    "CPOS": [str(end + 1) for end in (start, stop) if end is not None and end != 999999999],
                    "XC": [str(one["exon_count"] or "")],
                    "GL": [str(abs(stop - start) + 1)] if start is not None and stop is not None else [],
                    "PROP": ["alive" if one["status"] in (None, "", "0") else None, kinds.get(one["gene_type"] or "")],
                }
            ),
        )
    return built


def _pubmed() -> Index:
    built = Index(
        "pubmed",
        [
            _ALL,
            Field("UID", "UID", "number", ("pmid",), in_all=False),
            _FILT,
            Field("TITL", "Title", "words", ("ti", "title")),
            Field("TIAB", "Title/Abstract", "words", ("tiab",), in_all=False),
            Field("WORD", "Text Word", "words", ("tw",), in_all=False),
            Field("AUTH", "Author", "values", ("au", "auth", "full author name", "fau")),
            Field("FAUT", "Author - First", "values", ("1au", "first author", "first author name"), in_all=False),
            Field("JOUR", "Journal", "values", ("ta", "so", "jour", "source")),
            Field("VOL", "Volume", "values", ("vi",), in_all=False),
            Field("ISS", "Issue", "values", ("ip",), in_all=False),
            Field("PAGE", "Pagination", "values", ("pg", "page"), in_all=False),
            Field("PDAT", "Date - Publication", "date", ("dp", "pdat", "publication date", "date of publication"), in_all=False),
            Field("EDAT", "Date - Entry", "date", ("entrez date", "edat", "date of entry"), in_all=False),
            Field("PTYP", "Publication Type", "values", ("pt", "ptyp")),
            Field("MESH", "MeSH Terms", "values", ("mh", "mesh", "mesh term")),
            Field("MAJR", "MeSH Major Topic", "values", ("majr", "mesh major topic"), in_all=False),
            Field("LANG", "Language", "values", ("la",), in_all=False),
            Field("LID", "Location ID", "values", ("lid", "aid", "doi", "article identifier")),
        ],
        quoted_style=True,
    )
    for one in rows("SELECT * FROM pubmed ORDER BY sort_date DESC, pmid DESC"):
        authors = split(one["authors"]) or [one["first_author"]]
        heads = dict.fromkeys([*split(one["mesh"]), *split(one["mesh_major"])])
        built.add(
            str(one["pmid"]),
            _clean(
                {
                    "UID": [str(one["pmid"])],
                    "TITL": [one["title"]],
                    "TIAB": [one["title"]],
                    "WORD": [one["title"]],
                    "AUTH": authors,
                    "FAUT": [one["first_author"]],
                    "JOUR": [one["source_name"], one["journal"], one["issn"]],
                    "VOL": [one["volume"]],
                    "ISS": [one["issue"]],
                    "PAGE": [one["pages"], (one["pages"] or "").split("-")[0]],
                    "PDAT": [one["sort_date"]],
                    "EDAT": [one["entrez_date"]],
                    "PTYP": split(one["pub_types"]),
                    "MESH": list(heads),
                    "MAJR": split(one["mesh_major"]),
                    "LANG": [one["language"]],
                    "LID": [one["doi"], one["pmcid"]],
                }
            ),
        )
    return built


def _sequence_fields(kind: str) -> list[Field]:
    return [
        _ALL,
        _ORGN,
        _FILT,
        _PROP,
        Field("UID", "UID", "values", in_all=False),
        Field("ACCN", "Accession", "values", ("accession", "pacc", "primary accession")),
        Field("GENE", "Gene Name", "values", ("gene", "sym")),
        Field("TITL", "Title", "words", ("title", "ti", "definition")),
        Field("PROT", "Protein Name", "words", ("protein name",)),
        Field("SLEN", "Sequence Length", "number", ("slen", "length"), in_all=False),
    ]


def _protein() -> Index:
    built = Index("protein", _sequence_fields("protein"))
    for one in rows("SELECT * FROM entrez_proteins ORDER BY database, accession"):
        accession, title = one["accession"], (one["title"] or "").removeprefix("RecName: Full=")
        built.add(
            accession,
            _clean(
                {
                    "UID": [accession],
                    "ACCN": [accession, accession.split(".")[0], one["entry_name"]],
                    "GENE": [one["gene"]],
                    "TITL": [title],
                    "PROT": [title],
                    "ORGN": organism(built, one["taxon_id"], one["organism"]),
                    "SLEN": [str(one["length"] or "")],
                    "FILT": [one["database"], "swissprot" if one["database"] == "swissprot" else None],
                    "PROP": ["srcdb refseq", "srcdb_refseq"] if one["database"] == "refseq" else ["srcdb swiss prot", "srcdb_swiss-prot"],
                }
            ),
        )
    return built


def _nuccore() -> Index:
    built = Index("nuccore", _sequence_fields("nuccore"))
    kinds = {"NM": "mrna", "NC": "genomic", "NG": "genomic"}
    for one in rows("SELECT * FROM entrez_nucleotides ORDER BY sequence IS NULL, accession"):
        accession = one["accession"]
        refseq = "_" in accession
        built.add(
            accession,
            _clean(
                {
                    "UID": [accession, one["gi"]],
                    "ACCN": [accession, accession.split(".")[0]],
                    "GENE": [one["gene"]],
                    "TITL": [one["title"]],
                    "ORGN": organism(built, one["taxon_id"], one["organism"]),
                    "SLEN": [str(one["length"] or "")],
                    "FILT": ["refseq" if refseq else "genbank", kinds.get(accession[:2]) if refseq else None],
                    "PROP": [
                        *(["srcdb refseq", "srcdb_refseq"] if refseq else []),
                        *([f"biomol {kinds[accession[:2]]}", f"biomol_{kinds[accession[:2]]}"] if refseq and accession[:2] in kinds else []),
                    ],
                }
            ),
        )
    return built


def _snp() -> Index:
    built = Index(
        "snp",
        [
            _ALL,
            _UID,
            _ORGN,
            _FILT,
            Field("RS", "Reference SNP ID", "values", ("rs", "reference snp id")),
            Field("GENE", "Gene Name", "values", ("gene", "gene_id", "locus_id")),
            Field("CHR", "Chromosome", "values", ("chr",), in_all=False),
            Field("CPOS", "Base Position", "number", ("chrpos", "pos", "position", "base position"), in_all=False),
            Field("FXN", "Function Class", "values", ("fxn", "function_class", "func", "fxn_class")),
            Field("SCLS", "SNP Class", "values", ("scls", "snp_class", "class")),
            Field("CLIN", "Clinical Significance", "values", ("clin", "clinical_significance", "clinical significance")),
            Field("CDAT", "Create Build ID", "values", ("create build id", "cbid"), in_all=False),
        ],
    )
    for one in rows("SELECT * FROM snps ORDER BY rs"):
        genes = [part for gene in split(one["genes"]) for part in gene.rsplit(":", 1)]
        position = (one["chrpos"] or "").rpartition(":")[2]
        built.add(
            str(one["rs"]),
            _clean(
                {
                    "UID": [str(one["rs"])],
                    "RS": [f"rs{one['rs']}"],
                    "GENE": genes,
                    "CHR": [one["chr"]],
                    "CPOS": [position],
                    "FXN": [part for text in (one["fxn_class"] or "").split(",") for part in (text, text.replace("_", " ")) if text],
                    "SCLS": [one["snp_class"]],
                    "CLIN": [part for part in (one["clinical"] or "").split(",") if part],
                    "CDAT": [one["orig_build"]],
                    "ORGN": organism(built, one["taxon_id"], "Homo sapiens" if one["taxon_id"] == 9606 else None),
                }
            ),
        )
    return built


def _taxonomy() -> Index:
    built = Index(
        "taxonomy",
        [
            _ALL,
            _UID,
            Field("ALLN", "All Names", "values", ("all names", "name")),
            Field("SCIN", "Scientific Name", "values", ("scientific name", "scin")),
            Field("COMN", "Common Name", "values", ("common name", "comn")),
            Field("SYNO", "Synonym", "values", ("synonym",)),
            Field("RANK", "Rank", "values", ("rank",), in_all=False),
            Field("NXLV", "Next Level", "values", ("next level", "nxlv"), in_all=False),
            Field("SBTR", "subtree", "values", ("subtree", "sbtr"), in_all=False),
            Field("LNGE", "Lineage", "values", ("lineage", "lnge"), in_all=False),
            Field("DIV", "Division", "values", ("division", "div", "gbdv"), in_all=False),
        ],
        untagged="ALLN",
    )
    names = taxon_names()
    for one in rows("SELECT * FROM entrez_taxonomy ORDER BY taxon_id DESC"):
        uid = str(one["taxon_id"])
        above = [name for up in lineage().get(uid, []) for name in [*names.get(up, [])[:1], f"txid{up}"]]
        parent = str(one["parent_id"] or "")
        built.add(
            uid,
            _clean(
                {
                    "UID": [uid],
                    "ALLN": [*names.get(uid, []), f"txid{uid}"],
                    "SCIN": [one["name"]],
                    "COMN": [one["common_name"]],
                    "RANK": [one["rank"]],
                    "NXLV": [*names.get(parent, [])[:1], f"txid{parent}" if parent else None],
                    "SBTR": [one["name"], f"txid{uid}", *above],
                    "LNGE": above,
                    "DIV": [one["division"]],
                    "SYNO": [row["name"] for row in rows("SELECT name FROM entrez_taxon_names WHERE taxon_id = ? AND class = 'synonym'", one["taxon_id"])],
                }
            ),
        )
    return built


def _clinvar() -> Index:
    built = Index(
        "clinvar",
        [
            _ALL,
            _UID,
            _FILT,
            _PROP,
            Field("GENE", "Gene Name", "values", ("gene", "sym", "gene symbol")),
            Field("GENEID", "Gene ID", "values", ("geneid",), in_all=False),
            Field("TITL", "Title", "words", ("title", "name")),
            Field("VRNM", "Variant name", "words", ("varnam", "variant name")),
            Field("ACCN", "ClinVar accession", "values", ("acc", "vcv", "accession")),
            Field("DIS", "Disease/Phenotype", "values", ("dis", "disease", "trait", "disease/phenotype")),
            Field("CLSI", "Clinical significance", "values", ("clinical significance", "clinsig", "clnsig")),
            Field("CHR", "Chromosome", "values", ("chr",), in_all=False),
            Field("CPOS", "Base Position", "number", ("chrpos", "chrpos38", "base position"), in_all=False),
            Field("VTYP", "Type of variation", "values", ("type of variation", "vartype", "variant type")),
            Field("REVI", "Review status", "values", ("review status", "revstat")),
        ],
    )
    for one in rows("SELECT * FROM entrez_clinvar ORDER BY variation_id"):
        genes = [gene.split(":") for gene in split(one["genes"])]
        main = (one["classification"] or "").split(";")[0]
        built.add(
            str(one["variation_id"]),
            _clean(
                {
                    "UID": [str(one["variation_id"])],
                    "GENE": [gene[0] for gene in genes],
                    "GENEID": [gene[1] for gene in genes],
                    "TITL": [one["title"]],
                    "VRNM": [one["title"]],
                    "ACCN": [one["accession"], f"{one['accession']}.{one['version']}", f"rs{one['rs']}" if one["rs"] else None],
                    "DIS": split(one["traits"]),
                    "CLSI": [main, *main.split("/")],
                    "CHR": [one["chr"]],
                    "CPOS": [one["start"]],
                    "VTYP": [one["variant_type"]],
                    "REVI": [one["review_status"]],
                }
            ),
        )
    return built
