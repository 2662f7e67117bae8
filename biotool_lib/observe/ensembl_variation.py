"""Summaries of Ensembl variants, variant effects, linkage disequilibrium, phenotypes, haplotypes and GA4GH records."""

from __future__ import annotations

from typing import Any

from biotool_lib.observe import Context
from biotool_lib.observe.ensembl_common import Summary, compact, counts, distinct, head, listing, names, number, order, pick, place, rows

# What every transcript consequence carries; anything else was asked for by an option or a plugin.
USUAL = {
    "transcript_id", "gene_id", "gene_symbol", "gene_symbol_source", "hgnc_id", "biotype", "strand", "impact",
    "consequence_terms", "variant_allele", "cdna_start", "cdna_end", "cds_start", "cds_end", "protein_start",
    "protein_end", "codons", "amino_acids", "distance", "flags", "used_ref", "given_ref",
}
HIDDEN = ("gene_symbol_source", "cdna_end", "cds_end", "protein_end", "used_ref", "given_ref")
COLOCATED = (
    "id", "allele_string", "clin_sig", "clin_sig_allele", "somatic", "phenotype_or_disease", "minor_allele",
    "minor_allele_freq", "frequencies", "var_synonyms",
)
TRAIT = ("trait", "source", "study", "pvalue", "beta_coefficient", "risk_allele", "genes", "ontology_accessions")
IMPACT = {"HIGH": 0, "MODERATE": 1, "LOW": 2, "MODIFIER": 3}
MAIN_POPULATIONS = (
    *(f"1000GENOMES:phase_3:{name}" for name in ("ALL", "AFR", "AMR", "EAS", "EUR", "SAS")), "gnomADe:ALL", "gnomADg:ALL", "TOPMed",
)


def _vep_rank(item: dict[str, Any], record: dict[str, Any], context: Context) -> tuple:
    named = str(item.get("transcript_id") or "").split(".")[0]
    asked = " ".join(str(value) for value in context.arguments.values())
    return (
        not (named and named in asked),
        record.get("most_severe_consequence") not in (item.get("consequence_terms") or []),
        not (item.get("mane_select") or item.get("pick")),
        not item.get("canonical"),
        IMPACT.get(str(item.get("impact")), 4),
        named,
    )


def _colocated(items: list[dict[str, Any]]) -> dict[str, Any]:
    small = []
    for item in items:
        entry = pick(item, *COLOCATED)
        if item.get("pubmed"):
            entry["pubmed"] = len(item["pubmed"])
        small.append(entry)
    return {"ids": names((item.get("id") for item in items), 15), **listing(small, 3)}


def _effect(record: dict[str, Any], context: Context) -> dict[str, Any]:
    transcripts = sorted(rows(record.get("transcript_consequences") or []), key=lambda item: _vep_rank(item, record, context))
    small = {**head(record), "location": place(record)}
    small["genes"] = names((item.get("gene_symbol") or item.get("gene_id") for item in transcripts), 15)
    small["by_consequence"] = counts((term for item in transcripts for term in item.get("consequence_terms") or []), 20)
    small["by_impact"] = counts(item.get("impact") for item in transcripts)
    extras: dict[str, Any] = {}
    for item in transcripts:
        for key in order(item):
            if key not in USUAL and key not in extras and item[key] not in (None, "", [], {}):
                extras[key] = compact(item[key], limit=120)
    # The values of options and plugins, from the first ranked transcript that has them.
    small["annotations"] = extras
    shown = [{key: value for key, value in compact(item, limit=120).items() if key not in HIDDEN} for item in transcripts[:5]]
    small["transcripts"] = listing(shown, 5, len(transcripts))
    if record.get("colocated_variants"):
        small["colocated"] = _colocated(rows(record["colocated_variants"]))
    for key in order(record):
        if isinstance(record[key], (list, dict)) and key not in ("transcript_consequences", "colocated_variants"):
            small[key] = compact(record[key], shown=3)
    return small


def vep(data: Any, context: Context) -> dict[str, Any]:
    """Predicted effects: the most severe consequence, genes, ranked transcripts with every requested annotation, known variants."""
    records = rows(data)
    if not records:
        return listing([])
    small = {"total": len(records), **_effect(records[0], context)}
    if len(records) > 1:
        small["others"] = listing([pick(record, "id", "input", "allele_string", "most_severe_consequence") for record in records[1:]], 5)
    return small


def _frequencies(items: list[dict[str, Any]], minor: Any) -> dict[str, Any]:
    def rank(item: dict[str, Any]) -> tuple:
        name = str(item.get("population"))
        position = MAIN_POPULATIONS.index(name) if name in MAIN_POPULATIONS else len(MAIN_POPULATIONS)
        return (position, name, str(item.get("allele") or item.get("genotype")))

    ranked = sorted(items, key=rank)
    small = {
        **listing(
            [pick(item, "population", "allele", "genotype", "frequency", "allele_count", "count") for item in ranked], 14
        ),
        "populations": len(distinct(item.get("population") for item in items)),
        "alleles": sorted({str(item["allele"]) for item in items if item.get("allele")}),
    }
    scored = [item for item in ranked if item.get("allele") == minor and number(item.get("frequency")) is not None] if minor else []
    if scored:
        small["highest_minor"] = pick(max(scored, key=lambda item: number(item["frequency"]) or 0.0), "population", "allele", "frequency")
    return small


def variation(data: Any, context: Context) -> dict[str, Any]:
    """A variant: its plain values, its place, synonyms, clinical significance, and whatever was asked for besides."""
    small = head(data)
    places = rows(data.get("mappings") or [])
    small["mappings"] = listing([compact(item) for item in places], 4)
    if places:
        small["location"], small["alleles"] = places[0].get("location"), places[0].get("allele_string")
    for key in ("clinical_significance", "synonyms", "evidence"):
        if isinstance(data.get(key), list):
            small[key] = names(data[key], 15)
    if isinstance(data.get("synonyms"), list):
        small["synonyms_total"] = len(data["synonyms"])
    for key in ("populations", "population_genotypes"):
        if isinstance(data.get(key), list):
            small[key] = _frequencies(rows(data[key]), data.get("minor_allele"))
    if isinstance(data.get("phenotypes"), list):
        items = rows(data["phenotypes"])
        small["phenotypes"] = {
            "traits": names((item.get("trait") or item.get("description") for item in items), 15),
            "genes": names((item.get("genes") for item in items), 10),
            **listing([pick(item, *TRAIT, limit=100) for item in items], 6),
        }
    if isinstance(data.get("genotypes"), list):
        items = rows(data["genotypes"])
        small["genotypes"] = {"by_genotype": counts(item.get("genotype") for item in items), **listing([compact(item) for item in items], 5)}
    done = {"mappings", "clinical_significance", "synonyms", "evidence", "populations", "population_genotypes", "phenotypes", "genotypes"}
    for key in order(data):
        if isinstance(data[key], (list, dict)) and key not in done:
            small[key] = compact(data[key], shown=10)
    return small


def cited(data: Any, context: Context) -> dict[str, Any]:
    """The variants cited in an article: their names, classes and consequences, and the first records."""
    items = sorted(rows(data), key=lambda item: str(item.get("name")))
    small = []
    for item in items:
        entry = pick(item, "name", "var_class", "most_severe_consequence", "MAF", "minor_allele", "clinical_significance")
        first = next(iter(rows(item.get("mappings") or [])), {})
        small.append({**entry, **pick(first, "location", "allele_string")})
    return {
        "total": len(items),
        "names": names((item.get("name") for item in items), 40),
        "by_class": counts(item.get("var_class") for item in items),
        "by_consequence": counts(item.get("most_severe_consequence") for item in items),
        "by_significance": counts(word for item in items for word in item.get("clinical_significance") or []),
        "shown": min(len(small), 10),
        "items": small[:10],
    }


def _notation(allele: str | None, item: dict[str, Any]) -> dict[str, Any]:
    small: dict[str, Any] = {"allele": allele} if allele else {}
    small["counts"] = {key: len(item[key]) for key in order(item) if isinstance(item[key], list)}
    for key in order(item):
        small[key] = [compact(one) for one in item[key][:6]] if isinstance(item[key], list) else compact(item[key])
    return small


def recoder(data: Any, context: Context) -> dict[str, Any]:
    """The notations of a variant, by allele: the first six of each kind, with all counted."""
    found: list[dict[str, Any]] = []
    for record in rows(data):
        alleles = [key for key in sorted(record) if isinstance(record[key], dict)]
        found.extend(_notation(key, record[key]) for key in alleles)
        if not alleles:
            found.append(_notation(None, record))
    return {**listing(found, 5), "alleles": [item["allele"] for item in found if item.get("allele")], "shown_per_notation": 6}


def ld(data: Any, context: Context) -> dict[str, Any]:
    """Pairs in linkage disequilibrium: how many, the strongest first, and how r-squared is spread."""
    asked = str(context.arguments.get("id") or "")

    def pair(item: dict[str, Any]) -> dict[str, Any]:
        partner = [item[key] for key in ("variation1", "variation2") if item.get(key) and asked and item[key] != asked]
        extra = {"partner": partner[0]} if len(partner) == 1 else {}
        return {**extra, **compact(item)}

    def rank(item: dict[str, Any]) -> tuple:
        labels = (str(item.get(key)) for key in ("variation1", "variation2", "population_name"))
        return (-(number(item.get("r2")) or 0), -(number(item.get("d_prime")) or 0), *labels)

    items = sorted(rows(data), key=rank)
    strength = [number(item.get("r2")) or 0 for item in items]
    variants = {item.get(key) for item in items for key in ("variation1", "variation2", "variation")} - {None}
    small: dict[str, Any] = {"total": len(items)}
    if items:
        small["strongest"] = pair(items[0])
        small["populations"] = names(sorted({str(item["population_name"]) for item in items if item.get("population_name")}), 40)
        small["variants"] = len(variants)
        bounds = (("at_least_0_99", 0.99), ("at_least_0_8", 0.8), ("at_least_0_5", 0.5))
        small["r2"] = {name: sum(value >= bound for value in strength) for name, bound in bounds}
    return {**small, "shown": min(len(items), 12), "items": [pair(item) for item in items[:12]]}


KINDS = ("Variation", "StructuralVariation", "SupportingStructuralVariation", "Gene", "QTL", "RegulatoryFeature")


def _association(item: dict[str, Any]) -> dict[str, Any]:
    others = {key: value for key, value in item.items() if key not in ("description", "id", *KINDS)}
    return {**pick(item, "id", "description", *KINDS), **compact(others, limit=120)}


def _attribute(item: dict[str, Any], key: str) -> Any:
    return (item.get("attributes") or {}).get(key)


def phenotype(data: Any, context: Context) -> dict[str, Any]:
    """Phenotype annotations: traits, sources, genes and significances counted, the best p-value, samples of every trait."""
    records = rows(data)
    items: list[dict[str, Any]] = []
    for record in records:
        inner = record.get("phenotype_associations")
        items.extend([{"id": record.get("id"), **one} for one in rows(inner)] if isinstance(inner, list) else [record])
    found = [(kind, item[kind]) for item in items for kind in KINDS if item.get(kind)]
    tested = [item for item in items if number(_attribute(item, "p_value")) is not None]
    first: dict[str, dict[str, Any]] = {}
    for item in items:
        first.setdefault(str(item.get("description")), item)
    samples = list(first.values()) + [item for item in items if item is not first.get(str(item.get("description")))]
    small: dict[str, Any] = {
        "total": len(items),
        "features": len({value for _, value in found} | {item["id"] for item in items if item.get("id")}),
        "by_feature_type": counts(kind for kind, _ in found),
        "feature_ids": names([*(item.get("id") for item in items), *(value for _, value in found)], 20),
        "traits_total": len(first),
        "traits": names((item.get("description") for item in items), 20),
        "by_source": counts(item.get("source") for item in items),
        "by_gene": counts((_attribute(item, "associated_gene") for item in items), 10),
        "by_significance": counts((_attribute(item, "clinical_significance") for item in items), 10),
    }
    if tested:
        small["strongest"] = _association(min(tested, key=lambda item: number(_attribute(item, "p_value")) or 0.0))
    small = {key: value for key, value in small.items() if value not in ({}, [])}
    return {**small, "shown": min(len(samples), 8), "items": [_association(item) for item in samples[:8]]}


def _main(spread: dict[str, Any], limit: int) -> dict[str, Any]:
    ranked = sorted(spread, key=lambda key: (key not in MAIN_POPULATIONS and key != "_all", key))
    small = {key: spread[key] for key in ranked[:limit]}
    return {**small, "others": len(ranked) - limit} if len(ranked) > limit else small


def _haplotype(item: dict[str, Any]) -> dict[str, Any]:
    differences = listing([compact(one) for one in item.get("diffs") or []], 5)
    small = {**pick(item, "name", "type", "count", "frequency", "has_indel", "hex"), "differences": differences}
    for key in ("seq", "aligned_sequences", "samples", "flags", "contributing_variants", "population_counts"):
        if item.get(key):
            small[key] = compact(item[key], limit=60, shown=3)
    spread = item.get("population_frequencies") or {}
    small["population_frequencies"] = _main(spread, 6)
    return small


def haplotypes(data: Any, context: Context) -> dict[str, Any]:
    """Haplotypes of a transcript: counts, and the three most frequent ones of the coding sequence and the protein."""
    small = head(data)
    spread = data.get("total_population_counts") or {}
    small["total_population_counts"] = _main(spread, 8)
    for key in ("protein_haplotypes", "cds_haplotypes"):
        items = sorted(
            rows(data.get(key) or []),
            key=lambda item: (-(number(item.get("frequency")) or number(item.get("count")) or 0), str(item.get("name"))),
        )
        small[key] = {"with_indel": sum(bool(item.get("has_indel")) for item in items), **listing([_haplotype(item) for item in items], 3)}
    return small


def record(data: Any, context: Context) -> dict[str, Any]:
    """A GA4GH record: all plain values, objects made small, lists counted."""
    one = rows(data)[0] if rows(data) else {}
    small = head(one)
    for key in order(one):
        value = one[key]
        if isinstance(value, list):
            objects = any(isinstance(item, dict) for item in value)
            items = [compact(item, limit=100, shown=3) for item in value]
            small[key] = listing(items, 10) if objects or len(items) > 10 else items
        elif isinstance(value, dict):
            small[key] = compact(value, shown=5)
    if isinstance(one.get("calls"), list):
        small["by_genotype"] = counts("|".join(str(allele) for allele in call.get("genotype") or []) for call in rows(one["calls"]))
    return small


def beacon(data: Any, context: Context) -> dict[str, Any]:
    """The Beacon's own description: its values and its organisation."""
    meta, response = data.get("meta") or {}, data.get("response") or {}
    small = {**head(meta), **head(response or data), "organization": compact(response.get("organization") or data.get("organization") or {}, limit=300)}
    sets = response.get("datasets") or data.get("datasets")
    return {**small, "datasets": listing([pick(item, "id", "name") for item in rows(sets)], 15)} if sets else small


def _dataset(item: dict[str, Any]) -> dict[str, Any]:
    found = rows(item.get("results") or [])
    return {
        **pick(item, "id", "setType", "resultsCount", "externalUrl"),
        "exists": item.get("exists"),
        "variants": names((one.get("variantInternalId") for one in found), 5),
    }


def beacon_query(data: Any, context: Context) -> dict[str, Any]:
    """A Beacon's answer: whether the allele is known, in which data sets, and what is known about the first variant."""
    summary = data.get("responseSummary") or {}
    sets = rows((data.get("response") or {}).get("resultSets") or data.get("datasetAlleleResponses") or [])
    found = [one for item in sets for one in rows(item.get("results") or [])]
    small: dict[str, Any] = {
        "exists": summary.get("exists", data.get("exists")),
        "total": summary.get("numTotalResults", len(sets)),
        "datasets": names((item.get("id") or item.get("datasetId") for item in sets), 30),
    }
    if data.get("error"):
        small["error"] = compact(data["error"])
    if found:
        small["variant"] = compact(found[0], limit=120, shown=4)
        effects = rows((found[0].get("MolecularAttributes") or {}).get("molecularEffects") or [])
        small["variant_id"] = found[0].get("variantInternalId")
        small["genes"] = names((found[0].get("MolecularAttributes") or {}).get("geneIds") or [], 10)
        small["consequences"] = names((effect.get("label") for effect in effects), 10)
        conditions = rows((found[0].get("variantLevelData") or {}).get("clinicalInterpretations") or [])
        small["conditions"] = names((item.get("conditionId") for item in conditions), 10)
    return {**small, "shown": min(len(sets), 8), "items": [_dataset(item) for item in sets[:8]]}


SUMMARIES: dict[str, Summary] = {
    "vep_by_hgvs": vep,
    "vep_by_id": vep,
    "vep_by_region": vep,
    "get_variation": variation,
    "get_variation_by_pmcid": cited,
    "get_variation_by_pmid": cited,
    "variant_recoder": recoder,
    "get_ld_around_variant": ld,
    "get_ld_pairwise": ld,
    "get_ld_region": ld,
    "get_phenotype_by_accession": phenotype,
    "get_phenotype_by_gene": phenotype,
    "get_phenotype_by_region": phenotype,
    "get_phenotype_by_term": phenotype,
    "get_transcript_haplotypes": haplotypes,
    "get_beacon": beacon,
    "get_query_beacon": beacon_query,
    **{
        f"get_ga4gh_{name}": record
        for name in (
            "callsets", "datasets", "features", "featuresets", "references", "referencesets",
            "variantannotationsets", "variants", "variantsets",
        )
    },
}
