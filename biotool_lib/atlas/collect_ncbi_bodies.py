"""Reads recorded E-utilities bodies into plain rows: the half of the NCBI collector that knows the services' shapes."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

MONTHS = dict(zip(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], range(1, 13), strict=True))


def bodies(recorded: Path, function: str, database: str | None = None) -> Iterator[tuple[dict[str, Any], str]]:
    """Every recorded NCBI body of one function (and database), oldest first, as (index row, text)."""
    found = []
    for line in (recorded / "index.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["function"] != function or not row["file"].startswith("ncbi/") or row["status"] not in (None, 200):
            continue
        asked = f"{row['url'] or ''} {row.get('request_body') or ''}"
        if database and not re.search(rf"\bdb={database}\b", asked):
            continue
        found.append(row)
    for row in sorted(found, key=lambda one: (year(one), one["file"])):
        yield row, (recorded / row["file"]).read_text(encoding="utf-8", errors="replace")


def year(row: dict[str, Any]) -> str:
    """The four digits of a recording's year, or '0000'."""
    found = re.search(r"\b(19|20)\d\d\b", row.get("recorded") or "")
    return found.group() if found else "0000"


def docsums(recorded: Path, database: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every version-2 document summary recorded as JSON, as (index row, record)."""
    for row, text in bodies(recorded, "esummary", database):
        try:
            result = json.loads(text, strict=False)["result"]
        except (ValueError, KeyError, TypeError):
            continue
        for uid in result.get("uids", []):
            record = result.get(uid)
            if isinstance(record, dict) and "error" not in record:
                yield row, record


def xml_roots(text: str) -> Iterator[ET.Element]:
    """The roots of an XML text without its prolog; several roots are allowed, broken text gives none."""
    text = re.sub(r"<\?xml[^>]*>|<!DOCTYPE[^>\[]*(\[.*?\])?>", "", text)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"|\sxsi:\w+="[^"]*"', "", text)
    try:
        yield from ET.fromstring(f"<all>{text}</all>")
    except ET.ParseError:
        return


def refseq_records(text: str) -> Iterator[dict[str, str]]:
    """The RefSeq records of a GBSet reply as flat rows."""
    for root in xml_roots(text):
        for one in root.iterfind("GBSeq"):
            accession = one.findtext("GBSeq_accession-version") or ""
            quals = {f"{q.findtext('GBQualifier_name')}:{(q.findtext('GBQualifier_value') or '').partition(':')[0]}": q.findtext("GBQualifier_value") or ""
                     for q in one.iter("GBQualifier")}
            named = {key.partition(":")[0]: value for key, value in quals.items()}
            ids = [entry.text or "" for entry in one.iterfind("GBSeq_other-seqids/GBSeqid")]
            if "_" in accession:
                yield {
                    "accession": accession,
                    "gi": next((entry[3:] for entry in ids if entry.startswith("gi|")), ""),
                    "title": one.findtext("GBSeq_definition") or "",
                    "gene": named["gene"],
                    "gene_id": quals["db_xref:GeneID"].partition(":")[2],
                    "organism": one.findtext("GBSeq_organism") or "",
                    "taxon_id": quals["db_xref:taxon"].partition(":")[2],
                    "sequence": (one.findtext("GBSeq_sequence") or "").upper(),
                    "source": "eutils",
                }


def words(element: ET.Element | None) -> str:
    """All text below an element, with single blanks."""
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


def gene_texts(text: str) -> Iterator[dict[str, str]]:
    """The records of an efetch gene text."""
    for block in re.split(r"\n\s*\n(?=\d+\. )", "\n" + text.strip("\n")):
        head = re.match(r"\s*\d+\. (\S+)\n(.*)", block, re.S)
        uid = re.search(r"^ID: (\d+)", block, re.M)
        if not head or not uid or "This record was" in block:
            continue
        record = {"gene_id": uid.group(1), "symbol": head.group(1)}
        named = re.search(r"^(?:Official Symbol: (\S+) and Name: )?(.*?) ?\[([^\[\]]+?)(?: \(([^()]*)\))?\]$", head.group(2), re.M)
        if named:
            record |= {"name": named.group(2), "organism": named.group(3), "common_name": named.group(4) or ""}
            record["official"] = "yes" if named.group(1) else ""
        for label, key in (("Other Aliases", "aliases"), ("Other Designations", "designations")):
            line = re.search(rf"^{label}: (.*)$", block, re.M)
            record[key] = "|".join(line.group(1).split(", " if key == "aliases" else "; ")) if line else ""
        place = re.search(r"^Chromosome: (\S+?)(?:; Location: (.*))?$", block, re.M)
        if place:
            record |= {"chromosome": place.group(1), "map_location": place.group(2) or ""}
        spot = re.search(r"^Annotation:.* (N[CTW]_\S+) \((\d+)\.\.(\d+)(, complement)?\)", block, re.M)
        if spot:
            low, high = int(spot.group(2)) - 1, int(spot.group(3)) - 1
            start, stop = (high, low) if spot.group(4) else (low, high)
            record |= {"chr_accession": spot.group(1), "chr_start": str(start), "chr_stop": str(stop)}
        mim = re.search(r"^MIM: (.*)$", block, re.M)
        record["mim"] = "|".join(mim.group(1).split(", ")) if mim else ""
        yield record


def snp_record(element: ET.Element) -> dict[str, str]:
    """One dbSNP DocumentSummary element as a flat row."""
    get = lambda tag: html.unescape(element.findtext(tag) or "")  # noqa: E731
    return {
        "rs": get("SNP_ID"),
        "genes": "|".join(f"{one.findtext('NAME')}:{one.findtext('GENE_ID')}" for one in element.iter("GENE_E")),
        "mafs": "|".join(f"{one.findtext('STUDY')}~{one.findtext('FREQ')}" for one in element.iter("MAF")),
        "acc": get("ACC"),
        "chr": get("CHR"),
        "handle": get("HANDLE"),
        "spdi": get("SPDI"),
        "fxn_class": get("FXN_CLASS"),
        "validated": get("VALIDATED"),
        "docsum": get("DOCSUM"),
        "taxon_id": get("TAX_ID"),
        "orig_build": get("ORIG_BUILD"),
        "upd_build": get("UPD_BUILD"),
        "created": get("CREATEDATE"),
        "updated": get("UPDATEDATE"),
        "ss": get("SS"),
        "allele": get("ALLELE"),
        "snp_class": get("SNP_CLASS"),
        "chrpos": get("CHRPOS"),
        "chrpos_prev": get("CHRPOS_PREV_ASSM"),
        "clinical": get("CLINICAL_SIGNIFICANCE"),
        "merged": get("MERGED_SORT"),
        "text": get("TEXT"),
        "clinical_sort": get("CLINICAL_SORT"),
    }


def pubmed_record(article: ET.Element) -> dict[str, str]:
    """One PubmedArticle element as a flat row; abstracts are left out, since publishers own them."""
    get = lambda path: words(article.find(path))  # noqa: E731
    issue = article.find(".//JournalIssue/PubDate")
    date = words(issue)
    authors = [
        f"{one.findtext('LastName')} {one.findtext('Initials') or ''}".strip() or words(one.find("CollectiveName"))
        for one in article.iterfind(".//AuthorList/Author")
        if one.findtext("LastName") or one.find("CollectiveName") is not None
    ]
    heads = [(words(one.find("DescriptorName")), one) for one in article.iterfind(".//MeshHeading")]
    major = [name for name, one in heads if any(part.get("MajorTopicYN") == "Y" for part in one)]
    entered = article.find(".//PubMedPubDate[@PubStatus='entrez']")
    ids = {one.get("IdType"): words(one) for one in article.iterfind("./PubmedData/ArticleIdList/ArticleId")}
    return {
        "pmid": get(".//MedlineCitation/PMID"),
        "title": get(".//ArticleTitle"),
        "journal": get(".//Journal/Title"),
        "source_name": get(".//MedlineTA"),
        "issn": get(".//Journal/ISSN"),
        "nlm_id": get(".//NlmUniqueID"),
        "pub_date": date,
        "volume": get(".//JournalIssue/Volume"),
        "issue": get(".//JournalIssue/Issue"),
        "pages": get(".//MedlinePgn"),
        "doi": ids.get("doi", ""),
        "pmcid": ids.get("pmc", ""),
        "language": get(".//Article/Language"),
        "authors": "|".join(authors),
        "first_author": authors[0] if authors else "",
        "n_authors": str(len(authors)),
        "pub_types": "|".join(words(one) for one in article.iterfind(".//PublicationType")),
        "mesh": "|".join(name for name, _ in heads),
        "mesh_major": "|".join(major),
        "entrez_date": "/".join(words(entered.find(part)).zfill(2) for part in ("Year", "Month", "Day")) if entered is not None else "",
    }


def taxon_record(taxon: ET.Element) -> tuple[dict[str, str], list[tuple[str, str]], list[dict[str, str]]]:
    """One Taxon element as (row, other names as (class, name), ancestors as rows)."""
    get = lambda path: (taxon.findtext(path) or "").strip()  # noqa: E731
    row = {
        "taxon_id": get("TaxId"),
        "name": get("ScientificName"),
        "rank": get("Rank"),
        "parent_id": get("ParentTaxId"),
        "division": get("Division"),
        "common_name": get("OtherNames/GenbankCommonName") or get("OtherNames/CommonName"),
        "gc_id": get("GeneticCode/GCId"),
        "gc_name": get("GeneticCode/GCName"),
        "mgc_id": get("MitoGeneticCode/MGCId"),
        "mgc_name": get("MitoGeneticCode/MGCName"),
    }
    names = []
    for one in taxon.iterfind("OtherNames/*"):
        if one.tag == "Name":
            names.append((one.findtext("ClassCDE") or "", one.findtext("DispName") or ""))
        elif one.text and one.text.strip():
            kind = {
                "GenbankCommonName": "genbank common name",
                "CommonName": "common name",
                "Synonym": "synonym",
                "EquivalentName": "equivalent name",
                "Includes": "includes",
                "Acronym": "acronym",
            }.get(one.tag)
            if kind:
                names.append((kind, one.text.strip()))
    above: list[dict[str, str]] = []
    for one in taxon.iterfind("LineageEx/Taxon"):
        parent = above[-1]["taxon_id"] if above else "1"
        above.append(
            {"taxon_id": one.findtext("TaxId") or "", "name": one.findtext("ScientificName") or "", "rank": one.findtext("Rank") or "", "parent_id": parent}
        )
    return row, names, above


def einfo_rows(text: str) -> tuple[dict[str, str], list[dict[str, str]], list[dict[str, str]]] | None:
    """A database's own description: (database, fields, links), or None where the body only lists databases."""
    for root in xml_roots(text):
        info = root.find("DbInfo")
        if info is None:
            return None
        flat = lambda node: {one.tag.lower(): (one.text or "").strip() for one in node if not len(one)}  # noqa: E731
        return flat(info), [flat(one) for one in info.iter("Field")], [flat(one) for one in info.iter("Link")]
    return None
