"""Summaries of sequences without annotation: UniParc records and UniRef clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from biotool_lib.observe.fit import capped, counted, dig, kept, picked
from biotool_lib.observe.uniprot_entry import sequence


def upi_link(item: Mapping[str, Any]) -> dict[str, Any]:
    """One database record that holds a UniParc sequence."""
    return kept(
        {
            **picked(item, "database", "id", "active", "proteinName", "geneName", "created", "lastUpdated", "chain"),
            "organism": dig(item, "organism", "scientificName"),
            "taxonId": dig(item, "organism", "taxonId"),
        }
    )


def upi_links(items: list[Mapping[str, Any]], context_total: int | None = None) -> dict[str, Any]:
    """The records of a sequence: how many, how many of them active, by database and organism, the first few."""
    return {
        **capped(list(map(upi_link, items)), 5, context_total),
        "active": sum(bool(item.get("active")) for item in items),
        "databases": counted((item.get("database") for item in items), 8),
        "organisms": counted((dig(item, "organism", "scientificName") for item in items), 6),
    }


def signature(item: Mapping[str, Any]) -> dict[str, Any]:
    """One domain signature: database, identifier, InterPro entry, places."""
    places = [f"{place.get('start')}-{place.get('end')}" for place in (item.get("locations") or [])[:4]]
    return kept(
        {
            "database": item.get("database"),
            "id": item.get("databaseId"),
            "interpro": dig(item, "interproGroup", "id"),
            "name": dig(item, "interproGroup", "name"),
            "locations": places,
        }
    )


def uniparc(data: Mapping[str, Any], fields: set[str]) -> dict[str, Any]:
    """A UniParc record, full or light: sequence, dates, records, organisms, names, signatures."""
    signatures = data.get("sequenceFeatures") or []
    links = data.get("uniParcCrossReferences")
    return kept(
        {
            **picked(data, "uniParcId", "crossReferenceCount", "oldestCrossRefCreated", "mostRecentCrossRefUpdated"),
            "sequence": sequence(data["sequence"], 2000 if "sequence" in fields else 300) if data.get("sequence") else None,
            "crossReferences": upi_links(links) if links else None,
            "uniProtKBAccessions": capped(data["uniProtKBAccessions"], 10) if data.get("uniProtKBAccessions") else None,
            "commonTaxons": capped([picked(item, "commonTaxon", "commonTaxonId", "topLevel") for item in data["commonTaxons"]])
            if data.get("commonTaxons")
            else None,
            "organisms": capped([picked(item, "scientificName", "commonName", "taxonId") for item in data["organisms"]], 6) if data.get("organisms") else None,
            **{key: capped(data[key], 6) for key in ("proteinNames", "geneNames", "proteomes") if data.get(key)},
            "signatures": capped(list(map(signature, signatures)), 6) if signatures else None,
        }
    )


def uniparc_row(data: Mapping[str, Any], fields: set[str]) -> dict[str, Any]:
    """One hit of a UniParc search: as a record, with fewer letters and lists."""
    full = uniparc(data, fields)
    if "sequence" in full and "sequence" not in fields:
        full["sequence"] = {key: item for key, item in full["sequence"].items() if key != "value"}
    return full


def member(item: Mapping[str, Any]) -> dict[str, Any]:
    """One member of a UniRef cluster."""
    return kept(
        {
            **picked(item, "memberIdType", "memberId", "proteinName", "organismName", "organismTaxId", "sequenceLength", "seed"),
            "accession": dig(item, "accessions", 0),
            **picked(item, "uniparcId", "uniref50Id", "uniref90Id", "uniref100Id"),
        }
    )


def cluster(data: Mapping[str, Any], fields: set[str]) -> dict[str, Any]:
    """A UniRef cluster, full or light: name, size, common taxon, representative, members."""
    chief = data.get("representativeMember") or {}
    members = [member(item) if isinstance(item, Mapping) else str(item).split(",")[0] for item in data.get("members") or []]
    return kept(
        {
            **picked(data, "id", "name", "entryType", "memberCount", "organismCount", "updated", "seedId"),
            "commonTaxon": data.get("commonTaxon"),
            "representative": member(chief) or None,
            "sequence": sequence(chief["sequence"], 2000 if "sequence" in fields else 200) if chief.get("sequence") else None,
            "memberIdTypes": data.get("memberIdTypes"),
            "members": capped(members, 5, data.get("memberCount")) if members else None,
            "organisms": capped([item.get("scientificName") if isinstance(item, Mapping) else item for item in data["organisms"]], 8, data.get("organismCount"))
            if data.get("organisms")
            else None,
            "goTerms": capped([picked(item, "goId", "aspect") for item in data["goTerms"]]) if data.get("goTerms") else None,
        }
    )


def cluster_row(data: Mapping[str, Any], fields: set[str]) -> dict[str, Any]:
    """One hit of a UniRef search: without residues unless they were asked for."""
    full = cluster(data, fields)
    if "sequence" in full and "sequence" not in fields:
        full["sequence"] = picked(full["sequence"], "length", "molWeight")
    return full


def member_row(data: Mapping[str, Any], _fields: set[str]) -> dict[str, Any]:
    """One member on a page of cluster members."""
    return member(data)
