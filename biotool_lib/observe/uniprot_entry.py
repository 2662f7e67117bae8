"""The summary of one UniProtKB entry, alone or as a row of a search."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from biotool_lib.observe.fit import capped, counted, cut, dig, kept, picked

# Features that people ask about; the others are only counted unless they were asked for by name.
NOTABLE = (
    "Signal",
    "Transit peptide",
    "Propeptide",
    "Chain",
    "Domain",
    "DNA binding",
    "Zinc finger",
    "Active site",
    "Binding site",
    "Motif",
    "Transmembrane",
    "Disulfide bond",
    "Modified residue",
    "Lipidation",
    "Glycosylation",
    "Cross-link",
    "Coiled coil",
    "Repeat",
    "Site",
)
DATABASES = ("PDB", "AlphaFoldDB", "Ensembl", "GeneID", "RefSeq", "HGNC", "MIM", "InterPro", "Pfam", "KEGG", "Reactome", "ChEMBL")


def wanted(arguments: Mapping[str, Any]) -> set[str]:
    """The result fields that the call asked for; empty when it asked for the whole entry."""
    fields = arguments.get("fields") or ()
    parts = fields.split(",") if isinstance(fields, str) else fields
    return {str(part).strip().lower() for part in parts if str(part).strip()}


def value(item: Any) -> str | None:
    """The text of UniProt's {value, evidences} objects."""
    return item.get("value") if isinstance(item, Mapping) else item if isinstance(item, str) else None


def texts(items: Any) -> list[str]:
    """The texts of a list of {value, evidences} objects."""
    return [text for text in (value(item) for item in items or []) if text]


def protein_name(description: Any) -> str | None:
    """The recommended name, else the first submitted or alternative one."""
    for path in (("recommendedName",), ("submissionNames", 0), ("alternativeNames", 0)):
        found = dig(description, *path, "fullName", "value")
        if found:
            return found
    return None


def protein_names(description: Mapping[str, Any]) -> dict[str, Any]:
    """All names of the protein: short, alternative, submitted, EC numbers, and those of its parts."""
    recommended = description.get("recommendedName") or {}
    alternative = description.get("alternativeNames") or []
    groups = [recommended, *alternative, *(description.get("submissionNames") or [])]
    parts = [*(description.get("includes") or []), *(description.get("contains") or [])]
    return kept(
        {
            "short": texts(recommended.get("shortNames")),
            "ec": sorted({ec for group in groups for ec in texts(group.get("ecNumbers"))}),
            "alternative": capped([name for name in (dig(item, "fullName", "value") for item in alternative) if name]) if alternative else None,
            "submitted": [name for name in (dig(item, "fullName", "value") for item in description.get("submissionNames") or []) if name][:3],
            "parts": capped([name for name in map(protein_name, parts) if name], 4) if parts else None,
            "flag": description.get("flag"),
        }
    )


def gene_name(genes: Any) -> str | None:
    """The name of the first gene, or its first locus or ORF name."""
    first = dig(genes, 0) or {}
    for path in (("geneName", "value"), ("orderedLocusNames", 0, "value"), ("orfNames", 0, "value"), ("synonyms", 0, "value")):
        found = dig(first, *path)
        if found:
            return found
    return None


def genes(items: Any) -> list[dict[str, Any]]:
    """Each gene with its name, synonyms, locus and ORF names."""
    return [
        kept({"name": dig(gene, "geneName", "value"), **{key: texts(gene.get(key))[:6] for key in ("synonyms", "orderedLocusNames", "orfNames")}})
        for gene in (items or [])[:4]
    ]


def position(location: Any) -> str:
    """A feature's place as text: 43, 43-55, ?-55, <1-55."""
    marks = {"UNKNOWN": "?", "UNSURE": "?"}

    def end(point: Any) -> str:
        modifier = dig(point, "modifier") or "EXACT"
        number = dig(point, "value")
        prefix = marks.get(modifier, "") or ("~" if modifier == "OUTSIDE" else "")
        return f"{prefix}{'' if number is None else number}"

    start, stop = end(dig(location, "start")), end(dig(location, "end"))
    return start if start == stop else f"{start}-{stop}"


def feature(item: Mapping[str, Any]) -> dict[str, Any]:
    """One feature: type, place, description, ligand and, for variants, the exchange."""
    change = item.get("alternativeSequence") or {}
    alternatives = change.get("alternativeSequences") or []
    return kept(
        {
            "type": item.get("type"),
            "position": position(item.get("location")),
            "description": cut(item["description"], 160) if item.get("description") else None,
            "ligand": dig(item, "ligand", "name"),
            "change": f"{change.get('originalSequence', '')} -> {', '.join(alternatives)}" if alternatives else None,
        }
    )


def features(items: list[Mapping[str, Any]], asked: bool) -> dict[str, Any]:
    """How many features of each type, and the notable ones (all of them if features were asked for)."""
    counts = counted((item.get("type") for item in items), 40)
    if asked:
        chosen = items
    else:
        order = {name: number for number, name in enumerate(NOTABLE)}
        first: dict[str, list] = defaultdict(list)
        for item in items:
            if item.get("type") in order and len(first[item["type"]]) < 2:
                first[item["type"]].append(item)
        chosen = [item for name in sorted(first, key=order.__getitem__) for item in first[name]]
    limit = 20 if asked else 8
    return {**capped([feature(item) for item in chosen[:limit]], limit, len(items)), "counts": counts}


def location_lines(comment: Mapping[str, Any]) -> list[str]:
    """Subcellular locations as text, with topology and the isoform they hold for."""
    lines = []
    for item in comment.get("subcellularLocations") or []:
        line = "; ".join(text for text in (value(item.get(key)) for key in ("location", "topology", "orientation")) if text)
        lines.append(f"{comment['molecule']}: {line}" if comment.get("molecule") else line)
    return lines


def comment_lines(comment: Mapping[str, Any]) -> list[Any]:
    """One comment as texts or small objects, whatever its type."""
    kind = comment.get("commentType")
    if kind == "SUBCELLULAR LOCATION":
        return location_lines(comment) or texts(dig(comment, "note", "texts"))
    if kind == "CATALYTIC ACTIVITY":
        rhea = [text for text in (dig(link, "id") for link in dig(comment, "reaction", "reactionCrossReferences") or []) if str(text).startswith("RHEA:")]
        return [kept({"reaction": dig(comment, "reaction", "name"), "ec": dig(comment, "reaction", "ecNumber"), "rhea": " ".join(rhea)})]
    if kind == "DISEASE":
        disease = comment.get("disease") or {}
        note = " ".join(texts(dig(comment, "note", "texts")))
        return [
            kept(
                {
                    "name": disease.get("diseaseId"),
                    "acronym": disease.get("acronym"),
                    "id": disease.get("diseaseAccession"),
                    "mim": dig(disease, "diseaseCrossReference", "id"),
                    "description": disease.get("description"),
                    "note": note,
                }
            )
        ]
    if kind == "INTERACTION":
        return [
            kept(
                {
                    "accession": dig(item, "interactantTwo", "uniProtKBAccession"),
                    "gene": dig(item, "interactantTwo", "geneName"),
                    "experiments": item.get("numberOfExperiments"),
                }
            )
            for item in comment.get("interactions") or []
        ]
    if kind == "ALTERNATIVE PRODUCTS":
        return [
            kept({"name": dig(item, "name", "value"), "id": dig(item, "isoformIds", 0), "status": item.get("isoformSequenceStatus")})
            for item in comment.get("isoforms") or []
        ]
    if kind == "COFACTOR":
        return [item["name"] for item in comment.get("cofactors") or [] if item.get("name")] or texts(dig(comment, "note", "texts"))
    if kind == "WEB RESOURCE":
        return [picked(comment, "resourceName", "resourceUrl")]
    if comment.get("texts"):
        return texts(comment["texts"])
    return [{key: item for key, item in comment.items() if key not in ("commentType", "evidences")}]


def comments(items: list[Mapping[str, Any]], asked: bool) -> dict[str, Any]:
    """Comments by type (function, disease, subcellular_location, ...), each {total, shown, items}."""
    groups: dict[str, list] = defaultdict(list)
    for comment in items:
        name = str(comment.get("commentType", "other")).lower().replace(" ", "_")
        groups[name].extend(comment_lines(comment))
    limit = 6 if asked else 2
    length = 900 if asked else 260
    shown = {}
    for name, lines in groups.items():
        small = [
            cut(line, length) if isinstance(line, str) else {key: cut(part, length // 2) if isinstance(part, str) else part for key, part in line.items()}
            for line in lines
        ]
        shown[name] = capped(small, max(limit, 4) if name in ("subcellular_location", "interaction", "alternative_products") else limit)
    return shown


def cross_references(items: list[Mapping[str, Any]], asked: bool) -> dict[str, Any]:
    """How many cross-references per database and the identifiers of the well-known (or the asked-for) ones."""
    groups: dict[str, list] = defaultdict(list)
    for item in items:
        groups[str(item.get("database"))].append(item)
    names = sorted(groups) if asked else [name for name in DATABASES if name in groups]
    limit = 8 if asked else 2

    def line(item: Mapping[str, Any]) -> Any:
        properties = {str(pair.get("key")): pair.get("value") for pair in item.get("properties") or [] if pair.get("value") not in (None, "-", "")}
        return {"id": item.get("id"), **properties} if asked else item.get("id")

    chosen = {name: capped([line(item) for item in groups[name][:limit]], limit, len(groups[name])) for name in names if name != "GO"}
    return {"total": len(items), "databases": counted((item.get("database") for item in items), 8), **chosen}


def go_terms(items: list[Mapping[str, Any]], limit: int) -> dict[str, Any] | None:
    """The Gene Ontology terms among the cross-references, with the name that UniProt gives them (F:, P:, C:)."""
    found = [item for item in items if item.get("database") == "GO"]
    lines = []
    for item in found[:limit]:
        named = next((pair.get("value") for pair in item.get("properties") or [] if pair.get("key") == "GoTerm"), None)
        lines.append(kept({"id": item.get("id"), "term": named}))
    return capped(lines, limit, len(found)) if found else None


def citation(item: Mapping[str, Any]) -> dict[str, Any]:
    """One reference: title, journal, year, PubMed identifier, DOI."""
    source = item.get("citation") or {}
    links = {link.get("database"): link.get("id") for link in source.get("citationCrossReferences") or []}
    said = {"title": source.get("title"), "journal": source.get("journal"), "year": source.get("publicationDate")}
    return kept({**said, "pubmed": links.get("PubMed"), "doi": links.get("DOI")})


def keywords(items: list[Mapping[str, Any]], fields: set[str]) -> dict[str, Any]:
    """The keywords by name, and by identifier too where identifiers were asked for."""
    lines = [picked(item, "id", "name") if "keywordid" in fields else item.get("name") for item in items]
    return capped(lines, 25 if fields & {"keyword", "keywordid"} else 10)


def sequence(item: Mapping[str, Any], letters: int) -> dict[str, Any]:
    """Length, mass, checksums and the residues (their beginning, with the full length, when there are more)."""
    residues = item.get("value")
    return kept({**picked(item, "length", "molWeight", "crc64", "md5"), "value": cut(residues, letters) if residues else None})


def entry(data: Mapping[str, Any], fields: set[str]) -> dict[str, Any]:
    """A whole entry; what was asked for through `fields` is shown at length."""
    asked = {prefix: any(name.startswith(prefix) for name in fields) for prefix in ("cc_", "ft_", "xref_", "lit_", "go")}
    counted_too = bool(fields & {"comment_count", "feature_count"})
    links = data.get("uniProtKBCrossReferences") or []
    organism = data.get("organism") or {}
    return kept(
        {
            **picked(data, "primaryAccession", "uniProtkbId", "entryType"),
            "protein": protein_name(data.get("proteinDescription")),
            "gene": gene_name(data.get("genes")),
            "organism": picked(organism, "scientificName", "commonName", "taxonId"),
            "sequence": sequence(data["sequence"], 2500 if "sequence" in fields else 120) if data.get("sequence") else None,
            **picked(data, "proteinExistence", "annotationScore", "inactiveReason"),
            "proteinNames": protein_names(data.get("proteinDescription") or {}),
            "genes": genes(data.get("genes")),
            "comments": comments(data.get("comments") or [], asked["cc_"]),
            "features": features(data["features"], asked["ft_"]) if data.get("features") else None,
            "keywords": keywords(data["keywords"], fields) if data.get("keywords") else None,
            "go": go_terms(links, 12 if asked["go"] or "xref_go" in fields else 4),
            "crossReferences": cross_references(links, asked["xref_"]) if links else None,
            "references": capped(list(map(citation, data.get("references") or [])), 8 if asked["lit_"] else 2) if data.get("references") else None,
            "lineage": " > ".join(str(dig(item, "scientificName") or item) for item in organism.get("lineage") or data.get("lineages") or []),
            "organismHosts": [item.get("scientificName") for item in data.get("organismHosts") or []],
            "geneLocations": [kept({"type": item.get("geneEncodingType"), "name": item.get("value")}) for item in data.get("geneLocations") or []],
            "entryAudit": data.get("entryAudit"),
            "secondaryAccessions": capped(data["secondaryAccessions"]) if data.get("secondaryAccessions") else None,
            "uniParcId": dig(data, "extraAttributes", "uniParcId"),
            "commentCounts": dig(data, "extraAttributes", "countByCommentType") if counted_too else None,
            "featureCounts": dig(data, "extraAttributes", "countByFeatureType") if counted_too else None,
        }
    )


def row(data: Mapping[str, Any], fields: set[str]) -> dict[str, Any]:
    """One hit of a search: as an entry when fields were asked for, else what tells hits apart."""
    if fields:
        return entry(data, fields)
    said = comments(data.get("comments") or [], False)
    return kept(
        {
            **picked(data, "primaryAccession", "uniProtkbId", "entryType"),
            "protein": protein_name(data.get("proteinDescription")),
            "gene": gene_name(data.get("genes")),
            "organism": picked(data.get("organism") or {}, "scientificName", "commonName", "taxonId"),
            "sequence": picked(data.get("sequence") or {}, "length", "molWeight"),
            **picked(data, "proteinExistence", "annotationScore", "inactiveReason"),
            "ec": protein_names(data.get("proteinDescription") or {}).get("ec"),
            "comments": {name: said[name] for name in ("function", "subcellular_location") if name in said},
            "keywords": capped([item.get("name") for item in data.get("keywords") or []], 4) if data.get("keywords") else None,
        }
    )
