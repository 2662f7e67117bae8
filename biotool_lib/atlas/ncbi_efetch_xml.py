"""How EFetch writes one record: gene, paper, sequence, taxon, variant. Elements without a sourced value are left out."""

from __future__ import annotations

import re
import sqlite3
import textwrap

from Bio.Seq import Seq
from Bio.SeqFeature import SeqFeature, SimpleLocation
from Bio.SeqRecord import SeqRecord
from werkzeug import Response

from biotool_lib.atlas.ncbi_common import tag
from biotool_lib.atlas.ncbi_databases import lineage, split
from biotool_lib.atlas.store import row, rows

ROUTES: list = []


def document(root: str, kind: str, inner: str) -> Response:
    """An XML document with its type."""
    line = f"<!DOCTYPE {root} {kind}>\n" if kind else ""
    return Response(f'<?xml version="1.0" ?>\n{line}<{root}>{inner}</{root}>\n', content_type="text/xml; charset=UTF-8")


def some(name: str, value: object) -> str:
    """An element, or nothing where there is no value."""
    return tag(name, value) if value not in (None, "") else ""


def gene(one: sqlite3.Row) -> str:
    """One Entrezgene element."""
    label = "".join(tag("Gene-ref_syn_E", alias) for alias in split(one["aliases"]))
    names = "".join(tag("Prot-ref_name_E", name) for name in split(one["designations"]))
    taxon = (
        (
            "<Org-ref_db><Dbtag><Dbtag_db>taxon</Dbtag_db><Dbtag_tag><Object-id>"
            + tag("Object-id_id", one["taxon_id"])
            + "</Object-id></Dbtag_tag></Dbtag></Org-ref_db>"
        )
        if one["taxon_id"]
        else ""
    )
    chromosome = (
        (
            '<BioSource_subtype><SubSource><SubSource_subtype value="chromosome">1</SubSource_subtype>'
            + tag("SubSource_name", one["chromosome"])
            + "</SubSource></BioSource_subtype>"
        )
        if one["chromosome"]
        else ""
    )
    kind = {
        "gene with protein product": '<Entrezgene_type value="protein-coding">6</Entrezgene_type>',
        "protein coding gene": '<Entrezgene_type value="protein-coding">6</Entrezgene_type>',
    }.get(one["gene_type"] or "", "")
    place = ("<Entrezgene_location><Maps>" + tag("Maps_display-str", one["map_location"]) + "</Maps></Entrezgene_location>") if one["map_location"] else ""
    return (
        "<Entrezgene><Entrezgene_track-info><Gene-track>"
        + tag("Gene-track_geneid", one["gene_id"])
        + "</Gene-track></Entrezgene_track-info>"
        + kind
        + "<Entrezgene_source><BioSource><BioSource_org><Org-ref>"
        + some("Org-ref_taxname", one["organism"])
        + some("Org-ref_common", one["common_name"])
        + taxon
        + "</Org-ref></BioSource_org>"
        + chromosome
        + "</BioSource></Entrezgene_source><Entrezgene_gene><Gene-ref>"
        + some("Gene-ref_locus", one["symbol"])
        + some("Gene-ref_desc", one["name"])
        + some("Gene-ref_maploc", one["map_location"])
        + (f"<Gene-ref_syn>{label}</Gene-ref_syn>" if label else "")
        + "</Gene-ref></Entrezgene_gene>"
        + (f"<Entrezgene_prot><Prot-ref><Prot-ref_name>{names}</Prot-ref_name></Prot-ref></Entrezgene_prot>" if names else "")
        + some("Entrezgene_summary", one["summary"])
        + place
        + "</Entrezgene>\n"
    )


def _authors(one: sqlite3.Row) -> tuple[list[str], bool]:
    """The known authors of a paper, and whether they are all of them."""
    full = split(one["authors"])
    if full:
        return full, True
    first = [one["first_author"]] if one["first_author"] else []
    return first, one["n_authors"] == 1


def _author(name: str) -> str:
    last, _, initials = name.rpartition(" ")
    if not last or not re.fullmatch(r"[A-Z]{1,4}", initials):
        return f'<Author ValidYN="Y">{tag("CollectiveName" if " " in name else "LastName", name)}</Author>'
    return f'<Author ValidYN="Y">{tag("LastName", last)}{tag("Initials", initials)}</Author>'


def _date(text: str | None) -> str:
    found = re.fullmatch(r"(\d{4})(?: ([A-Z][a-z]{2}))?(?: (\d{1,2}))?", text or "")
    if not found:
        return f"<PubDate>{some('MedlineDate', text)}</PubDate>"
    return f"<PubDate>{tag('Year', found.group(1))}{some('Month', found.group(2))}{some('Day', found.group(3))}</PubDate>"


def article(one: sqlite3.Row) -> str:
    """One PubmedArticle element; abstracts are not part of the atlas."""
    names, complete = _authors(one)
    authors = f'<AuthorList CompleteYN="{"Y" if complete else "N"}">{"".join(map(_author, names))}</AuthorList>' if names else ""
    kinds = "".join(tag("PublicationType", name) for name in split(one["pub_types"]))
    major = set(split(one["mesh_major"]))
    heads = "".join(
        f'<MeshHeading>{tag("DescriptorName", name, f""" MajorTopicYN="{"Y" if name in major else "N"}" """.rstrip())}</MeshHeading>'
        for name in dict.fromkeys([*split(one["mesh"]), *split(one["mesh_major"])])
    )
    ids = "".join(
        tag("ArticleId", value, f' IdType="{kind}"') for kind, value in (("pubmed", one["pmid"]), ("doi", one["doi"]), ("pmc", one["pmcid"])) if value
    )
    entered = one["entrez_date"]
    when = ""
    if entered:
        parts = [str(int(part)) for part in entered.split("/")]
        when = '<History><PubMedPubDate PubStatus="entrez">' + "".join(map(tag, ("Year", "Month", "Day"), parts)) + "</PubMedPubDate></History>"
    pages = f"<Pagination>{tag('MedlinePgn', one['pages'])}</Pagination>" if one["pages"] else ""
    return (
        "<PubmedArticle><MedlineCitation>"
        + tag("PMID", one["pmid"], ' Version="1"')
        + "<Article><Journal>"
        + some("ISSN", one["issn"])
        + f"<JournalIssue>{some('Volume', one['volume'])}{some('Issue', one['issue'])}{_date(one['pub_date'])}</JournalIssue>"
        + some("Title", one["journal"])
        + some("ISOAbbreviation", one["source_name"])
        + "</Journal>"
        + some("ArticleTitle", one["title"])
        + pages
        + authors
        + some("Language", one["language"])
        + (f"<PublicationTypeList>{kinds}</PublicationTypeList>" if kinds else "")
        + "</Article>"
        + f"<MedlineJournalInfo>{some('MedlineTA', one['source_name'])}{some('NlmUniqueID', one['nlm_id'])}</MedlineJournalInfo>"
        + (f"<MeshHeadingList>{heads}</MeshHeadingList>" if heads else "")
        + f"</MedlineCitation><PubmedData>{when}<ArticleIdList>{ids}</ArticleIdList></PubmedData></PubmedArticle>\n"
    )


def source_line(one: sqlite3.Row) -> str:
    """The citation line of a paper: Journal. Date;Volume(Issue):Pages."""
    issue = f"({one['issue']})" if one["issue"] else ""
    tail = f";{one['volume'] or ''}{issue}" if one["volume"] or issue else ""
    return f"{one['source_name'] or ''}. {one['pub_date'] or ''}{tail}{':' + one['pages'] if one['pages'] else ''}."


def medline(one: sqlite3.Row) -> str:
    """One record in MEDLINE format."""
    names, _ = _authors(one)
    major = set(split(one["mesh_major"]))
    lines: list[tuple[str, str | None]] = [
        ("PMID", str(one["pmid"])),
        ("IS", one["issn"]),
        ("VI", one["volume"]),
        ("IP", one["issue"]),
        ("DP", one["pub_date"]),
        ("TI", one["title"]),
        ("PG", one["pages"]),
        ("LID", f"{one['doi']} [doi]" if one["doi"] else None),
        *(("AU", name) for name in names),
        *(("LA", name) for name in split(one["language"])),
        *(("PT", name) for name in split(one["pub_types"])),
        ("TA", one["source_name"]),
        ("JT", one["journal"]),
        ("JID", one["nlm_id"]),
        *(("MH", f"*{name}" if name in major else name) for name in dict.fromkeys([*split(one["mesh"]), *split(one["mesh_major"])])),
        ("PMC", one["pmcid"]),
        ("EDAT", one["entrez_date"]),
        ("SO", source_line(one)),
    ]
    return "".join(
        "\n".join(textwrap.wrap(f"{key:<4}- {value}", 88, subsequent_indent="      ", break_long_words=False, break_on_hyphens=False)) + "\n"
        for key, value in lines
        if value
    )


def citation(number: int, one: sqlite3.Row) -> str:
    """One record as the abstract view prints it, without the abstract."""
    names, complete = _authors(one)
    ids = [f"DOI: {one['doi']}" if one["doi"] else "", f"PMCID: {one['pmcid']}" if one["pmcid"] else "", f"PMID: {one['pmid']}"]
    who = ", ".join(names) + ("" if complete else ", et al") + "." if names else ""
    return "\n\n".join(part for part in (f"{number}. {source_line(one)}", one["title"] or "", who, "\n".join(filter(None, ids))) if part)


def taxon(one: sqlite3.Row) -> str:
    """One Taxon element with its lineage as far as it is known."""
    names = rows("SELECT class, name FROM entrez_taxon_names WHERE taxon_id = ? ORDER BY class, name", one["taxon_id"])
    plain = {
        "genbank common name": "GenbankCommonName",
        "common name": "CommonName",
        "synonym": "Synonym",
        "equivalent name": "EquivalentName",
        "includes": "Includes",
        "acronym": "Acronym",
    }
    listed = "".join(tag(plain[name["class"]], name["name"]) for name in names if name["class"] in plain)
    listed += "".join(f"<Name>{tag('ClassCDE', name['class'])}{tag('DispName', name['name'])}</Name>" for name in names if name["class"] not in plain)
    above = [row("SELECT taxon_id, name, rank FROM entrez_taxonomy WHERE taxon_id = ?", int(uid)) for uid in reversed(lineage().get(str(one["taxon_id"]), []))]
    chain = [up for up in above if up is not None]
    line = "".join(f"<Taxon>{tag('TaxId', up['taxon_id'])}{tag('ScientificName', up['name'])}{tag('Rank', up['rank'])}</Taxon>" for up in chain)
    code = f"<GeneticCode>{tag('GCId', one['gc_id'])}{some('GCName', one['gc_name'])}</GeneticCode>" if one["gc_id"] else ""
    mito = f"<MitoGeneticCode>{tag('MGCId', one['mgc_id'])}{some('MGCName', one['mgc_name'])}</MitoGeneticCode>" if one["mgc_id"] else ""
    return (
        f"<Taxon>{tag('TaxId', one['taxon_id'])}{tag('ScientificName', one['name'])}"
        + (f"<OtherNames>{listed}</OtherNames>" if listed else "")
        + some("ParentTaxId", one["parent_id"])
        + some("Rank", one["rank"])
        + some("Division", one["division"])
        + code
        + mito
        + (tag("Lineage", "; ".join(up["name"] for up in chain)) + f"<LineageEx>{line}</LineageEx>" if chain else "")
        + "</Taxon>\n"
    )


_SNP_COLUMNS = (
    *("acc", "chr", "handle", "spdi", "fxn_class", "validated", "docsum", "tax_id", "orig_build", "upd_build", "createdate", "updatedate"),
    *("ss", "allele", "snp_class", "chrpos", "chrpos_prev_assm", "text"),
)
_SNP_NAMES = {"tax_id": "taxon_id", "createdate": "created", "updatedate": "updated", "chrpos_prev_assm": "chrpos_prev"}


def snp(one: sqlite3.Row) -> str:
    """One dbSNP DocumentSummary element; a record known in full also shows its empty elements, as the service does."""
    full = one["complete"] == "yes"
    put = tag if full else some
    genes = "".join(f"<GENE_E>{tag('NAME', text.rsplit(':', 1)[0])}{tag('GENE_ID', text.rsplit(':', 1)[1])}</GENE_E>" for text in split(one["genes"]))
    mafs = "".join(f"<MAF>{tag('STUDY', text.split('~', 1)[0])}{tag('FREQ', text.split('~', 1)[1])}</MAF>" for text in split(one["mafs"]))
    number = one["snp_id"] or one["rs"]
    parts = [tag("SNP_ID", number), "<ALLELE_ORIGIN/>" if full else "", f"<GLOBAL_MAFS>{mafs}</GLOBAL_MAFS>" if mafs else "<GLOBAL_MAFS/>" if full else ""]
    parts += ["<GLOBAL_POPULATION/><GLOBAL_SAMPLESIZE>0</GLOBAL_SAMPLESIZE><SUSPECTED/>" if full else "", put("CLINICAL_SIGNIFICANCE", one["clinical"])]
    parts.append(f"<GENES>{genes}</GENES>" if genes else "<GENES/>" if full else "")
    parts += [put(name.upper(), one[_SNP_NAMES.get(name, name)]) for name in _SNP_COLUMNS]
    parts += [tag("SNP_ID_SORT", f"{number:010d}"), some("CLINICAL_SORT", one["clinical_sort"]), "<CITED_SORT/>" if full else ""]
    if re.fullmatch(r"\w+:\d+", one["chrpos"] or ""):
        parts.append(tag("CHRPOS_SORT", f"{int(one['chrpos'].split(':')[1]):010d}"))
    return f'<DocumentSummary uid="{one["rs"]}">{"".join(parts)}{some("MERGED_SORT", one["merged"])}</DocumentSummary>'


def variation(one: sqlite3.Row) -> str:
    """One VariationArchive element."""
    genes = "".join(f'<Gene Symbol="{text.split(":")[0]}" GeneID="{text.split(":")[1]}"/>' for text in split(one["genes"]))
    place = (
        (f'<Location><SequenceLocation Assembly="GRCh38" Chr="{one["chr"]}" start="{one["start"]}" stop="{one["stop"]}"/></Location>') if one["start"] else ""
    )
    xref = f'<XRefList><XRef DB="dbSNP" ID="{one["rs"]}" Type="rs"/></XRefList>' if one["rs"] else ""
    name = tag("Name", one["title"])
    attribute = name[6:-7].replace('"', "&quot;")
    traits = "".join(
        f'<Trait Type="Disease"><Name><ElementValue Type="Preferred">{tag("x", text)[3:-4]}</ElementValue></Name></Trait>' for text in split(one["traits"])
    )
    return (
        f'<VariationArchive VariationID="{one["variation_id"]}" VariationName="{attribute}" VariationType="{one["variant_type"]}" '
        f'Accession="{one["accession"]}" Version="{one["version"]}" DateLastUpdated="{one["updated"]}"><ClassifiedRecord>'
        f'<SimpleAllele AlleleID="{one["allele_id"]}" VariationID="{one["variation_id"]}"><GeneList>{genes}</GeneList>{name}'
        + some("CanonicalSPDI", one["spdi"])
        + tag("VariantType", one["variant_type"])
        + place
        + xref
        + "</SimpleAllele><Classifications><GermlineClassification>"
        + some("ReviewStatus", one["review_status"])
        + some("Description", one["classification"])
        + f"<ConditionList><TraitSet>{traits}</TraitSet></ConditionList>"
        + "</GermlineClassification></Classifications></ClassifiedRecord></VariationArchive>\n"
    )


def header(db: str, one: sqlite3.Row, span: str = "") -> str:
    """The FASTA definition of a sequence."""
    name = one["accession"] + span
    if db == "protein" and one["database"] == "swissprot":
        return f"sp|{name}|{one['entry_name']} {one['title']}"
    title = one["title"] or (f"[{one['organism']}]" if one["organism"] else "")
    return f"{name} {title}".rstrip()


def fasta(db: str, one: sqlite3.Row, part: str, span: str) -> str:
    """One FASTA record, 70 letters a line."""
    return f">{header(db, one, span)}\n" + "".join(part[at : at + 70] + "\n" for at in range(0, len(part), 70))


def tseq(db: str, one: sqlite3.Row, part: str, span: str) -> str:
    """One TSeq element."""
    kind = "protein" if db == "protein" else "nucleotide"
    return (
        f'<TSeq><TSeq_seqtype value="{kind}"/>'
        + tag("TSeq_accver", one["accession"])
        + some("TSeq_taxid", one["taxon_id"])
        + some("TSeq_orgname", one["organism"])
        + tag("TSeq_defline", header(db, one, span).partition(" ")[2])
        + tag("TSeq_length", len(part))
        + tag("TSeq_sequence", part)
        + "</TSeq>\n"
    )


def _qualifier(name: str, value: str | None) -> str:
    return f"<GBQualifier>{tag('GBQualifier_name', name)}{tag('GBQualifier_value', value)}</GBQualifier>" if value else ""


def _feature(key: str, qualifiers: str, place: str = "") -> str:
    return f"<GBFeature>{tag('GBFeature_key', key)}{some('GBFeature_location', place)}<GBFeature_quals>{qualifiers}</GBFeature_quals></GBFeature>"


def _molecule(db: str, one: sqlite3.Row) -> str:
    """What kind of molecule a record is, told by its RefSeq prefix or its title."""
    prefix = one["accession"][:3]
    return "AA" if db == "protein" else "mRNA" if prefix == "NM_" or "mRNA" in (one["title"] or "") else "RNA" if prefix == "NR_" else "DNA"


def flat(db: str, one: sqlite3.Row, part: str) -> str:
    """One record as GenBank (or GenPept) text; date, division and keywords stay blank, since no source gives them."""
    kind, organism = _molecule(db, one), one["organism"]
    record = SeqRecord(Seq(part), id=one["accession"], name=one["accession"].split(".")[0], description=one["title"] or "")
    record.annotations = {"molecule_type": "protein" if kind == "AA" else kind}
    if organism:
        qualifiers = {"organism": [organism]} | ({"db_xref": [f"taxon:{one['taxon_id']}"]} if one["taxon_id"] else {})
        record.annotations |= {"organism": organism, "source": organism}
        record.features.append(SeqFeature(SimpleLocation(0, len(part)), type="source", qualifiers=qualifiers))
    locus, _, rest = record.format("genbank").partition("\n")
    return f"{locus[:64].rstrip():79}\n" + "".join(line + "\n" for line in rest.splitlines() if line != "KEYWORDS    .") + "\n"


def gbseq(db: str, one: sqlite3.Row, part: str) -> str:
    """One GBSeq element."""
    accession = one["accession"]
    mark = "ref" if "_" in accession else "sp" if db == "protein" and one["database"] == "swissprot" else "gb"
    ids = tag("GBSeqid", f"{mark}|{accession}|{(one['entry_name'] or '') if mark == 'sp' else ''}") + (
        tag("GBSeqid", f"gi|{one['gi']}") if one["gi"] else ""
    )
    source = _qualifier("organism", one["organism"]) + (_qualifier("db_xref", f"taxon:{one['taxon_id']}") if one["taxon_id"] else "")
    features = "<GBSeq_feature-table>" + _feature("source", source, f"1..{len(part)}")
    if one["gene"]:
        xref = _qualifier("db_xref", f"GeneID:{one['gene_id']}") if one["gene_id"] else ""
        features += _feature("gene", _qualifier("gene", one["gene"]) + xref)
    return (
        "<GBSeq>"
        + tag("GBSeq_locus", accession.split(".")[0])
        + tag("GBSeq_length", len(part))
        + tag("GBSeq_moltype", _molecule(db, one))
        + some("GBSeq_definition", one["title"])
        + tag("GBSeq_primary-accession", accession.split(".")[0])
        + tag("GBSeq_accession-version", accession)
        + f"<GBSeq_other-seqids>{ids}</GBSeq_other-seqids>"
        + some("GBSeq_source", one["organism"])
        + some("GBSeq_organism", one["organism"])
        + features
        + "</GBSeq_feature-table>"
        + tag("GBSeq_sequence", part.lower())
        + "</GBSeq>\n"
    )
