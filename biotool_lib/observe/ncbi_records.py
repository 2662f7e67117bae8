"""Summaries of efetch: full records, told apart by their root element or their first line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

from biotool_lib.observe import Context, generic, reduce, text_summary
from biotool_lib.observe.fit import capped, counted, cut, kept
from biotool_lib.observe.ncbi_text import known
from biotool_lib.observe.ncbi_xml import at, every, looks_like_xml, parse, plain, said_wrong, words

RECORDS = 5
MONTHS = ("Year", "Month", "Day")


def date(node: Element | None) -> str | None:
    """Year, month and day of a date element joined by blanks, or its free text."""
    if node is None:
        return None
    return " ".join(text for text in (at(node, part) for part in MONTHS) if text) or at(node, "MedlineDate")


def person(node: Element) -> str | None:
    """An author's last name and initials, or the group's name."""
    name = " ".join(text for text in (at(node, "LastName"), at(node, "Initials")) if text)
    return name or at(node, "CollectiveName") or at(node, "ForeName")


def article(node: Element) -> dict[str, Any]:
    """One PubMed article: title, journal, year, authors, abstract, identifiers, subjects."""
    cited, body = node.find("MedlineCitation"), node.find("MedlineCitation/Article")
    issue = None if body is None else body.find("Journal/JournalIssue")
    links = {item.get("IdType"): words(item) for item in node.findall("PubmedData/ArticleIdList/ArticleId")}
    published = date(issue.find("PubDate") if issue is not None else None)
    parts = [
        f"{item.get('Label')}: {words(item)}" if item.get("Label") else words(item) or ""
        for item in (body.findall("Abstract/AbstractText") if body is not None else [])
    ]
    authors = [name for name in map(person, body.findall("AuthorList/Author")) if name] if body is not None else []
    mesh = [
        f"{at(item, 'DescriptorName')}{'*' if any(part.get('MajorTopicYN') == 'Y' for part in item) else ''}"
        for item in node.findall("MedlineCitation/MeshHeadingList/MeshHeading")
    ]
    year = re.search(r"\d{4}", published or "")
    doi = links.get("doi") or next((words(item) for item in (body.findall("ELocationID") if body is not None else []) if item.get("EIdType") == "doi"), None)
    return kept(
        {
            "pmid": at(node, "MedlineCitation/PMID"),
            "title": at(body, "ArticleTitle"),
            "journal": at(body, "Journal/Title"),
            "iso": at(body, "Journal/ISOAbbreviation"),
            "year": year.group(0) if year else None,
            "published": published,
            "volume": at(issue, "Volume"),
            "issue": at(issue, "Issue"),
            "pages": at(body, "Pagination/MedlinePgn"),
            "authors": capped(authors, 6) if authors else None,
            "doi": doi,
            "pmc": links.get("pmc"),
            "types": every(body, "PublicationTypeList/PublicationType")[:4],
            "language": every(body, "Language")[:3],
            "abstract": cut(" ".join(parts), 1200),
            "mesh": capped(mesh, 10) if mesh else None,
            "keywords": every(node, "MedlineCitation/KeywordList/Keyword")[:8],
            "chemicals": every(node, "MedlineCitation/ChemicalList/Chemical/NameOfSubstance")[:6],
            "grants": len(node.findall("MedlineCitation/Article/GrantList/Grant")) or None,
            "status": cited.get("Status") if cited is not None else None,
        }
    )


def chapter(node: Element) -> dict[str, Any]:
    """One PubMed book chapter (GeneReviews and the like)."""
    body = node.find("BookDocument")
    authors = [name for name in map(person, body.findall("AuthorList/Author")) if name] if body is not None else []
    return kept(
        {
            "pmid": at(body, "PMID"),
            "title": at(body, "ArticleTitle") or at(body, "Book/BookTitle"),
            "book": at(body, "Book/BookTitle"),
            "year": at(body, "ContributionDate/Year") or at(body, "Book/PubDate/Year"),
            "publisher": at(body, "Book/Publisher/PublisherName"),
            "authors": capped(authors, 6) if authors else None,
            "abstract": cut(" ".join(every(body, "Abstract/AbstractText")), 1200),
            "sections": every(body, "Sections/Section/SectionTitle")[:10],
            "keywords": every(body, "KeywordList/Keyword")[:8],
        }
    )


def pubmed(root: Element) -> dict[str, Any]:
    """PubMed articles and book chapters, with the years and journals of all of them."""
    nodes = [node for node in root if node.tag in ("PubmedArticle", "PubmedBookArticle")]
    rows = [article(node) if node.tag == "PubmedArticle" else chapter(node) for node in nodes]
    more = {"journals": counted((row.get("journal") for row in rows), 8), "years": counted((row.get("year") for row in rows), 8)} if len(rows) > 1 else {}
    return {**capped(rows, RECORDS), **more}


def entrez_gene(node: Element) -> dict[str, Any]:
    """One gene record: symbol, name, organism, place, synonyms, description."""
    ref, source = node.find("Entrezgene_gene/Gene-ref"), node.find("Entrezgene_source/BioSource")
    gene_type = node.find("Entrezgene_type")
    links = {str(at(item, "Dbtag_db")): words(item.find("Dbtag_tag")) for item in ref.findall("Gene-ref_db/Dbtag")} if ref is not None else {}
    chromosome = next(
        (
            at(item, "SubSource_name")
            for item in (source.findall("BioSource_subtype/SubSource") if source is not None else [])
            if (kind := item.find("SubSource_subtype")) is not None and kind.get("value") == "chromosome"
        ),
        None,
    )
    place = node.find("Entrezgene_locus/Gene-commentary")
    span = None if place is None else place.find("Gene-commentary_seqs/Seq-loc/Seq-loc_int/Seq-interval")
    strand = None if span is None else span.find("Seq-interval_strand/Na-strand")
    synonyms = every(ref, "Gene-ref_syn/Gene-ref_syn_E")
    proteins = every(node, "Entrezgene_prot/Prot-ref/Prot-ref_name/Prot-ref_name_E")
    return kept(
        {
            "gene_id": at(node, "Entrezgene_track-info/Gene-track/Gene-track_geneid"),
            "symbol": at(ref, "Gene-ref_locus"),
            "name": at(ref, "Gene-ref_desc"),
            "locus_tag": at(ref, "Gene-ref_locus-tag"),
            "type": gene_type.get("value") if gene_type is not None else None,
            "organism": at(source, "BioSource_org/Org-ref/Org-ref_taxname"),
            "common_name": at(source, "BioSource_org/Org-ref/Org-ref_common"),
            "chromosome": chromosome,
            "location": at(ref, "Gene-ref_maploc"),
            "links": kept(links),
            "position": kept(
                {
                    "accession": at(place, "Gene-commentary_accession"),
                    "version": at(place, "Gene-commentary_version"),
                    "from": at(span, "Seq-interval_from"),
                    "to": at(span, "Seq-interval_to"),
                    "strand": strand.get("value") if strand is not None else None,
                    "note": "positions counted from 0",
                }
            )
            if span is not None
            else None,
            "synonyms": capped(synonyms, 8) if synonyms else None,
            "proteins": capped(proteins, 4) if proteins else None,
            "summary": cut(at(node, "Entrezgene_summary") or "", 900),
        }
    )


def gb_sequence(node: Element) -> dict[str, Any]:
    """One GenBank or INSDC sequence record in XML."""
    prefix = node.tag  # GBSeq or INSDSeq
    short = prefix.removesuffix("Seq")

    def said(name: str) -> str | None:
        return at(node, f"{prefix}_{name}")

    qualifiers: dict[str, list[str]] = {}
    for item in node.iter(f"{short}Qualifier"):
        name, text = at(item, f"{short}Qualifier_name"), at(item, f"{short}Qualifier_value")
        if name in ("gene", "product", "protein_id", "chromosome", "EC_number") and text and text not in qualifiers.setdefault(name, []):
            qualifiers[name].append(text)
    papers = node.findall(f"{prefix}_references/{short}Reference")
    length = said("length")
    return kept(
        {
            "accession": said("primary-accession"),
            "version": said("accession-version"),
            "definition": cut(said("definition") or "", 300),
            "length": int(length) if length and length.isdigit() else length,
            "molecule": said("moltype"),
            "topology": said("topology"),
            "division": said("division"),
            "created": said("create-date"),
            "updated": said("update-date"),
            "organism": said("organism"),
            "lineage": cut(said("taxonomy") or "", 250),
            **{name: capped(values, 4) for name, values in qualifiers.items()},
            "features": counted((at(item, f"{short}Feature_key") for item in node.iter(f"{short}Feature")), 12),
            "references": {
                "total": len(papers),
                "titles": [cut(title, 160) for title in every(node, f"{prefix}_references/{short}Reference/{short}Reference_title")[:2]],
                "pubmed": every(node, f"{prefix}_references/{short}Reference/{short}Reference_pubmed")[:5],
            }
            if papers
            else None,
            "comment": cut(said("comment") or "", 250),
            "sequence": cut(said("sequence") or "", 120),
        }
    )


def tiny_sequence(node: Element) -> dict[str, Any]:
    """One TinySeq record (FASTA in XML)."""
    kind = node.find("TSeq_seqtype")
    return kept(
        {
            "accession": at(node, "TSeq_accver"),
            "organism": at(node, "TSeq_orgname"),
            "taxid": at(node, "TSeq_taxid"),
            "definition": at(node, "TSeq_defline"),
            "length": int(at(node, "TSeq_length") or 0),
            "type": kind.get("value") if kind is not None else None,
            "sequence": cut(at(node, "TSeq_sequence") or "", 400),
        }
    )


def taxon(node: Element) -> dict[str, Any]:
    """One taxon: names, rank, lineage, genetic codes; ranks by name."""
    main = ("superkingdom", "domain", "kingdom", "phylum", "class", "order", "family", "genus", "species")
    ranks = {at(item, "Rank"): at(item, "ScientificName") for item in node.findall("LineageEx/Taxon") if at(item, "Rank") in main}
    return kept(
        {
            "taxid": at(node, "TaxId"),
            "scientificname": at(node, "ScientificName"),
            "commonname": at(node, "OtherNames/GenbankCommonName") or at(node, "OtherNames/CommonName"),
            "rank": at(node, "Rank"),
            "division": at(node, "Division"),
            "parent_taxid": at(node, "ParentTaxId"),
            "genetic_code": at(node, "GeneticCode/GCName"),
            "mitochondrial_code": at(node, "MitoGeneticCode/MGCName"),
            "synonyms": every(node, "OtherNames/Synonym")[:6],
            "lineage": cut(at(node, "Lineage") or "", 700),
            "ranks": ranks,
            "updated": at(node, "UpdateDate"),
            "aka": every(node, "AkaTaxIds/TaxId")[:5],
        }
    )


def variant(node: Element) -> dict[str, Any]:
    """One dbSNP record: place, alleles, genes, consequence, frequencies."""
    record = plain(node)
    record = record if isinstance(record, dict) else {}
    genes = record.get("genes")
    mafs = record.get("global_mafs")
    first = (
        "snp_id",
        "snp_class",
        "chr",
        "chrpos",
        "chrpos_prev_assm",
        "acc",
        "spdi",
        "fxn_class",
        "clinical_significance",
        "validated",
        "docsum",
        "createdate",
        "updatedate",
        "tax_id",
    )
    return kept(
        {
            "uid": node.get("uid"),
            **{key: cut(str(record[key]), 400) for key in first if record.get(key)},
            "genes": capped(genes if isinstance(genes, list) else [genes]) if genes else None,
            "global_mafs": capped(mafs if isinstance(mafs, list) else [mafs], 6) if mafs else None,
        }
    )


def clinvar(node: Element) -> dict[str, Any]:
    """One ClinVar variation: name, genes, classification, review status, conditions."""
    record = node.find("ClassifiedRecord")
    record = node.find("InterpretedRecord") if record is None else record
    record = node if record is None else record
    genes = list(dict.fromkeys(item.get("Symbol") for item in record.iter("Gene") if item.get("Symbol")))
    places = [
        kept(
            {
                "assembly": item.get("Assembly"),
                "chromosome": item.get("Chr"),
                "start": item.get("start"),
                "stop": item.get("stop"),
                "reference": item.get("referenceAlleleVCF"),
                "alternate": item.get("alternateAlleleVCF"),
            }
        )
        for item in record.findall("SimpleAllele/Location/SequenceLocation")
    ]
    classified = record.find("Classifications/GermlineClassification")
    traits = list(dict.fromkeys(every(record, ".//ConditionList/TraitSet/Trait/Name/ElementValue") or every(record, ".//TraitSet/Trait/Name/ElementValue")))
    return kept(
        {
            "accession": node.get("Accession"),
            "variation_id": node.get("VariationID"),
            "name": node.get("VariationName"),
            "type": node.get("VariationType"),
            "genes": capped(genes),
            "classification": at(classified, "Description") or at(record, "Interpretations/Interpretation/Description"),
            "review_status": at(classified, "ReviewStatus") or at(record, "ReviewStatus"),
            "conditions": capped(traits, 6) if traits else None,
            "locations": places[:2],
            "submissions": node.get("NumberOfSubmissions"),
            "submitters": node.get("NumberOfSubmitters"),
            "updated": node.get("DateLastUpdated"),
            "hgvs": every(record, "SimpleAllele/HGVSlist/HGVS/NucleotideExpression/Expression")[:3],
            "protein_change": every(record, "SimpleAllele/ProteinChange")[:3],
        }
    )


def pmc_article(node: Element) -> dict[str, Any]:
    """One full-text article of PMC: title, journal, year, authors, abstract, sections."""
    front = node.find("front")
    meta = None if front is None else front.find("article-meta")
    links = {item.get("pub-id-type"): words(item) for item in (meta.findall("article-id") if meta is not None else [])}
    authors = [
        " ".join(text for text in (at(item, "name/surname"), at(item, "name/given-names")) if text) or at(item, "collab") or ""
        for item in (meta.findall("contrib-group/contrib") if meta is not None else [])
    ]
    years = every(meta, "pub-date/year")
    return kept(
        {
            "title": at(meta, "title-group/article-title"),
            "journal": at(front, "journal-meta/journal-title-group/journal-title") or at(front, "journal-meta/journal-title"),
            "year": years[0] if years else None,
            "authors": capped([name for name in authors if name], 6) if authors else None,
            "pmid": links.get("pmid"),
            "pmc": links.get("pmc") or links.get("pmcid"),
            "doi": links.get("doi"),
            "type": node.get("article-type"),
            "abstract": cut(at(meta, "abstract") or "", 1200),
            "keywords": every(meta, "kwd-group/kwd")[:8],
            "sections": every(node, "body/sec/title")[:10],
            "references": len(node.findall(".//ref")) or None,
            "license": cut(at(meta, "permissions/license") or "", 150),
        }
    )


def biosample(node: Element) -> dict[str, Any]:
    """One BioSample: title, organism, attributes."""
    organism = node.find("Description/Organism")
    pairs = {str(item.get("display_name") or item.get("attribute_name")): cut(words(item) or "", 120) for item in node.findall("Attributes/Attribute")}
    return kept(
        {
            "accession": node.get("accession"),
            "id": node.get("id"),
            "title": at(node, "Description/Title"),
            "organism": organism.get("taxonomy_name") if organism is not None else None,
            "taxid": organism.get("taxonomy_id") if organism is not None else None,
            "published": node.get("publication_date"),
            "package": at(node, "Package"),
            "attributes": dict(list(pairs.items())[:15]),
            "attributes_total": len(pairs) or None,
        }
    )


def sequencing(node: Element) -> dict[str, Any]:
    """One sequencing experiment of SRA: study, sample, library, platform, runs."""
    runs = [
        kept({"accession": item.get("accession"), "spots": item.get("total_spots"), "bases": item.get("total_bases"), "published": item.get("published")})
        for item in node.iter("RUN")
    ]
    library = node.find("EXPERIMENT/DESIGN/LIBRARY_DESCRIPTOR")
    experiment, study, sample = node.find("EXPERIMENT"), node.find("STUDY"), node.find("SAMPLE")
    return kept(
        {
            "experiment": experiment.get("accession") if experiment is not None else None,
            "title": at(experiment, "TITLE"),
            "study": study.get("accession") if study is not None else None,
            "study_title": at(study, "DESCRIPTOR/STUDY_TITLE"),
            "sample": sample.get("accession") if sample is not None else None,
            "organism": at(sample, "SAMPLE_NAME/SCIENTIFIC_NAME"),
            "taxid": at(sample, "SAMPLE_NAME/TAXON_ID"),
            "strategy": at(library, "LIBRARY_STRATEGY"),
            "source": at(library, "LIBRARY_SOURCE"),
            "selection": at(library, "LIBRARY_SELECTION"),
            "instrument": at(experiment, ".//INSTRUMENT_MODEL"),
            "runs": capped(runs, 4) if runs else None,
        }
    )


def other(node: Element) -> dict[str, Any]:
    """A record of a kind without a shape of its own, made small."""
    record = plain(node)
    return reduce(record) if isinstance(record, dict) else {"value": reduce(record)}


# Root element -> the elements that are its records, and their shape.
KINDS: dict[str, tuple[str, Callable[[Element], dict[str, Any]]]] = {
    "Entrezgene-Set": ("Entrezgene", entrez_gene),
    "GBSet": ("GBSeq", gb_sequence),
    "INSDSet": ("INSDSeq", gb_sequence),
    "TSeqSet": ("TSeq", tiny_sequence),
    "TaxaSet": ("Taxon", taxon),
    "ExchangeSet": ("DocumentSummary", variant),
    "fragments": ("DocumentSummary", variant),
    "ClinVarResult-Set": ("VariationArchive", clinvar),
    "pmc-articleset": ("article", pmc_article),
    "BioSampleSet": ("BioSample", biosample),
    "EXPERIMENT_PACKAGE_SET": ("EXPERIMENT_PACKAGE", sequencing),
}


def members(root: Element) -> Iterator[Element]:
    """The records below a root: its children that are elements."""
    return (node for node in root if isinstance(node.tag, str))


def from_xml(root: Element) -> dict[str, Any]:
    """The summary of an XML body by its root element."""
    if root.tag == "DocumentSummary":
        return {"format": "xml", "root": "DocumentSummary", **capped([variant(root)])}
    if root.tag in ("PubmedArticleSet", "PubmedBookArticleSet"):
        return {"format": "xml", "root": root.tag, **pubmed(root)}
    if root.tag == "IdList":
        return {"format": "xml", "root": root.tag, **capped(every(root, "Id"), 30)}
    name, shape = KINDS.get(root.tag, ("", other))
    nodes = [node for node in members(root) if not name or node.tag == name]
    if not nodes and root.tag in KINDS:
        nodes, shape = list(members(root)), other
    rows = [shape(node) for node in nodes[:RECORDS]]
    return {"format": "xml", "root": root.tag, **capped(rows, RECORDS, len(nodes))}


def efetch(data: Any, context: Context) -> dict[str, Any]:
    """The summary of fetched records, whatever their format."""
    if not isinstance(data, str):
        return generic(data, context)
    wrong = said_wrong(data)
    if wrong:
        return wrong
    if looks_like_xml(data):
        root = parse(data)
        if root is not None:
            return from_xml(root)
        return {**text_summary(data), "format": "xml", "note": "not well-formed, or it declares entities; shown as text"}
    found = known(data)
    if found:
        return found
    if re.match(r"\s*[A-Z][A-Za-z-]+ ::= ", data):
        return {**text_summary(data), "format": "asn.1", "kind": data.strip().split(" ::=")[0]}
    return text_summary(data)
