"""Every Ensembl summary: on all recorded bodies, on the documented shapes without recordings, and on odd input."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from biotool_lib.observe import Context, summarise
from biotool_lib.observe.ensembl import LIMIT, SUMMARIES

ROOT = Path(__file__).resolve().parents[1]
RECORDED = Path(os.environ.get("BIOTOOL_RECORDED") or ROOT.parent / "shared" / "recorded")
QUESTIONS = ROOT / "biotool_lib" / "questions" / "ensembl.yaml"
MISSING = f"no recorded bodies at {RECORDED} (set BIOTOOL_RECORDED to their folder)"

# Bodies recorded from older paths or related endpoints, which have the shape of these functions.
FAMILIES = {
    "homology_id": "get_homology_by_id", "info_assembly": "get_info_assembly", "info_data": "get_info_data",
    "ontology_descendants": "get_ontology_descendants", "variation": "get_variation", "overlap_region": "overlap_by_region",
    "vep_hgvs": "vep_by_hgvs", "sequence_id": "get_sequence_by_id", "info_assembly_region": "get_info_assembly_region",
    "lookup_id_post": "lookup_by_id",
}


# Shapes of functions without recordings, after the service's documentation and its own tests. The values only fill the shape.
_TAX = {"id": 7776, "scientific_name": "Gnathostomata", "common_name": "Jawed vertebrates", "timetree_mya": 462}
_CAFE = {
    "type": "cafe tree", "rooted": 1, "pvalue_avg": 0.5,
    "tree": {
        "id": 1, "name": "Gnathostomata", "n_members": 1, "lambda": 0.01, "p_value_lim": 0.01, "tax": _TAX,
        "children": [
            {"id": 2, "name": "homo_sapiens", "n_members": 3, "pvalue": 0.1, "is_expansion": 1, "is_node_significant": 0, "tax": {"scientific_name": "Homo sapiens"}},
            {"id": 3, "name": "danio_rerio", "n_members": 1, "pvalue": 0.2, "is_contraction": 1, "tax": {"scientific_name": "Danio rerio"}},
        ],
    },
}
_GENE = {
    "id": "ENSMUSG00000000171", "display_name": "Sdhd", "object_type": "Gene", "biotype": "protein_coding", "species": "mus_musculus",
    "seq_region_name": "9", "start": 50507657, "end": 50515112, "strand": -1, "assembly_name": "GRCm39", "version": 6,
    "canonical_transcript": "ENSMUST00000000175.6", "description": "succinate dehydrogenase complex, subunit D, integral membrane protein",
    "Transcript": [{
        "id": "ENSMUST00000000175", "is_canonical": 1, "biotype": "protein_coding", "length": 1231, "Exon": [{"id": "ENSMUSE00000285370", "start": 50515038, "end": 50515112}],
        "Translation": {"id": "ENSMUSP00000000175", "length": 159}, "UTR": [{"object_type": "five_prime_UTR", "start": 1, "end": 2}],
    }],
    "phenotypes": [{"trait": "a trait", "source": "a source"}],
}
_VEP = {
    "id": "NM_000363.5:c.245C>T", "input": "NM_000363.5:c.245C>T", "allele_string": "C/T", "seq_region_name": "19", "start": 55156238, "end": 55156238,
    "strand": -1, "assembly_name": "GRCh38", "most_severe_consequence": "missense_variant", "colocated_variants": [{"id": "rs752503819", "allele_string": "G/A/C/T"}],
    "transcript_consequences": [
        {"transcript_id": "NM_001256714.1", "gene_symbol": "DNAAF3", "consequence_terms": ["downstream_gene_variant"], "impact": "MODIFIER", "distance": 2423},
        {
            "transcript_id": "NM_000363.5", "gene_symbol": "TNNI3", "consequence_terms": ["missense_variant"], "impact": "MODERATE", "amino_acids": "P/L", "cadd_phred": 22.4, "codons": "cCg/cTg",
            "protein_start": 82, "sift_prediction": "deleterious", "sift_score": 0.01, "polyphen_prediction": "probably_damaging", "conservation": 1.14,
            "alphamissense": {"am_class": "likely_benign", "am_pathogenicity": 0.1683}, "spliceai": {"DS_AG": 0, "SYMBOL": "TNNI3"},
        },
    ],
}
_ASSOCIATION = {
    "description": "a trait", "location": "9:22125500-22125500", "source": "NHGRI-EBI GWAS catalog", "mapped_to_accession": "EFO:0003900",
    "attributes": {"p_value": "2.00e-10", "associated_gene": "GENE1", "clinical_significance": "risk factor"},
}
_GENOME = {
    "name": "a_genome", "display_name": "A genome", "scientific_name": "Genus species", "taxonomy_id": "1", "species_taxonomy_id": "1", "assembly_name": "ASM1",
    "assembly_accession": "GCA_000000000.1", "assembly_level": "chromosome", "base_count": "1000", "division": "EnsemblPlants", "genebuild": "2020-01", "has_variations": "1",
}
_BIOTYPE = {"name": "IG_C_gene", "biotype_group": "coding", "object_type": "gene", "so_acc": "SO:0001217"}
_TAXON = {"id": "9606", "name": "Homo sapiens", "scientific_name": "Homo sapiens", "leaf": 0, "tags": {"authority": ["a name, 1758"]}, "parent": {"id": "9605", "scientific_name": "Homo"}, "children": []}
_HAPLOTYPE = {
    "name": "ENSP00000320396:22A>V", "type": "protein", "count": 1, "frequency": "0.25", "has_indel": 0, "flags": [], "diffs": [{"diff": "22A>V"}],
    "contributing_variants": ["rs147768956"], "population_counts": {"_all": 1}, "population_frequencies": {"_all": 0.25},
}
_VARIANT = {
    "variantInternalId": "rs1", "variation": {"variantType": "SNP", "referenceBases": "G", "alternateBases": "C", "location": {"sequence_id": "9"}}, "identifiers": ["dbSNP:rs1"],
    "MolecularAttributes": {"geneIds": ["GENE1"], "molecularEffects": [{"id": "SO:0001627", "label": "intron_variant"}]},
    "variantLevelData": {"clinicalInterpretations": [{"conditionId": "a trait", "effect": {"id": "-", "label": "a trait"}}]},
}
_RECORD = {"id": "1:one", "name": "one", "description": "a record", "start": 10, "end": 11}
SAMPLES: dict[str, list[Any]] = {
    "lookup_by_symbol": [_GENE, {"id": "ENST00000375549", "object_type": "Transcript", "Parent": "ENSG00000204370", "length": 1313}],
    "get_cafe_genetree_by_id": [_CAFE, "(homo_sapiens_3_0.1:10,danio_rerio_1_0.2:20)Gnathostomata;"],
    "get_homology_by_id": [{"data": [{"id": "ENSG00000157764", "homologies": [{"id": "ENSMUSG00000002413", "species": "mus_musculus", "protein_id": "ENSMUSP00000002487", "type": "ortholog_one2one", "taxonomy_level": "Euarchontoglires", "method_link_type": "ENSEMBL_ORTHOLOGUES"}]}]}],
    "vep_by_hgvs": [[_VEP]], "vep_by_region": [[_VEP, _VEP]],
    "overlap_by_id": [
        [{"id": "ENSG00000176515", "gene_id": "ENSG00000176515", "external_name": "AL033381.1", "feature_type": "gene", "biotype": "protein_coding", "start": 1080164, "end": 1105181, "strand": 1}],
        [{"feature_type": "repeat", "description": "dust", "start": 1000732, "end": 1000776, "strand": 0, "seq_region_name": "6"}],
    ],
    "overlap_translation": [[
        {"type": "Pfam", "id": "PF07714", "start": 457, "end": 712, "interpro": "IPR001245", "description": "a domain", "feature_type": "protein_feature", "Parent": "ENST00000288602"},
        {"type": "Seg", "id": "seg", "start": 6, "end": 11, "feature_type": "protein_feature"},
    ]],
    "get_info_analysis": [{"ensembl": ["core"], "dust": ["core", "otherfeatures"]}],
    "get_info_assembly": [{
        "assembly_name": "GRCh38.p14", "assembly_accession": "GCA_000001405.29", "assembly_date": "2013-12", "default_coord_system_version": "GRCh38", "golden_path_length": 3,
        "genebuild_last_geneset_update": "2023-03", "coord_system_versions": ["GRCh38", "GRCh37"], "karyotype": ["1", "X", "MT"],
        "top_level_region": [{"name": "X", "length": 156040895, "coord_system": "chromosome", "bands": [{"id": "p11.1", "stain": "acen", "start": 1, "end": 2}], "synonyms": [{"name": "NC_000023.11", "dbname": "RefSeq"}]}],
    }],
    "get_info_biotypes": [[{"biotype": "protein_coding", "groups": ["core"], "objects": ["gene", "transcript"]}]],
    "get_info_biotypes_groups": [["LRG", "coding", "undefined"], [_BIOTYPE]],
    "get_info_divisions": [["EnsemblPlants", "EnsemblVertebrates"]],
    "get_info_eg_version": [{"version": "62"}],
    "get_info_external_dbs": [[{"name": "GO", "description": None, "release": None, "display_name": "GO"}]],
    "get_info_genomes": [_GENOME, [_GENOME, {**_GENOME, "name": "another"}]],
    "get_info_variation_consequence_types": [[
        {"SO_term": "missense_variant", "SO_accession": "SO:0001583", "label": "missense variant", "consequence_ranking": "11"},
        {"SO_term": "transcript_ablation", "SO_accession": "SO:0001893", "label": "transcript ablation", "consequence_ranking": "1"},
    ]],
    "get_info_variation_population_name": [[{"name": "1000GENOMES:phase_1_ASW", "size": 61, "description": "Americans of African Ancestry in SW USA", "individuals": [{"name": "1000GENOMES:phase_1:NA19625", "gender": "Female"}]}]],
    "get_info_variation_populations": [[{"name": "1000GENOMES:phase_1_ASW", "description": "Americans of African Ancestry in SW USA", "size": "61"}]],
    "get_info_variation_sources": [[{"name": "dbSNP", "version": "138", "description": "Variants imported from dbSNP", "url": "http://www.ncbi.nlm.nih.gov/projects/SNP/", "somatic_status": "mixed", "data_types": ["variation"]}]],
    "get_ontology_ancestors_chart": [{"rs2": {"term": {"accession": "GO:1", "name": "a term"}, "is_a": [{"accession": "GO:2", "name": "parent"}]}, "GO:2": {"term": {"accession": "GO:2", "name": "parent"}}}],
    "get_ontology_id": [{"accession": "GO:1", "name": "a term", "namespace": "biological_process", "definition": "text", "synonyms": ["another name"], "parents": [], "children": []}],
    "get_taxonomy_name": [[_TAXON]],
    "get_phenotype_by_term": [
        [{**_ASSOCIATION, "Variation": "rs1"}, {**_ASSOCIATION, "Gene": "ENSG00000157764"}],
        [{"id": "rs1", "phenotype_associations": [_ASSOCIATION, {"description": "another trait"}]}],
    ],
    "get_binding_matrix": [{
        "stable_id": "ENSPFM0001", "name": "IRF4_AD_TCAAGG20NCG_NCGAAACCGAAACYN_m1_c3_Cell2013", "source": "SELEX", "threshold": 4.4, "length": 2, "unit": "Frequencies", "max_position_sum": 51719,
        "associated_transcription_factor_complexes": ["IRF8", "IRF9"], "elements": {"1": {"A": 10448, "T": 13901, "C": 18876, "G": 2105}, "2": {"A": 364, "T": 5937, "C": 45331, "G": 87}}, "elements_string": "10448\t364",
    }],
    "get_transcript_haplotypes": [{"transcript_id": "ENST00000314040", "total_haplotype_count": 4, "total_population_counts": {"_all": 4}, "protein_haplotypes": [_HAPLOTYPE], "cds_haplotypes": [{**_HAPLOTYPE, "type": "cds"}]}],
    "get_variation": [{
        "name": "rs1", "var_class": "SNP", "MAF": 0.1, "minor_allele": "A", "mappings": [{"location": "1:1-1", "allele_string": "G/A", "ancestral_allele": "G", "start": 1}],
        "populations": [{"population": "1000GENOMES:phase_3:ALL", "allele": "A", "frequency": 0.1}], "phenotypes": [{"trait": "a trait", "source": "ClinVar", "genes": "GENE1"}],
        "genotypes": [{"genotype": "G|A", "sample": "NA00001"}], "population_genotypes": [{"population": "1000GENOMES:phase_3:ALL", "genotype": "G|A", "frequency": 0.2}], "genotyping_chips": ["a chip"],
    }],
    "get_variation_by_pmid": [[{"name": "rs1", "var_class": "SNP", "most_severe_consequence": "intron_variant", "clinical_significance": ["benign"], "mappings": [{"location": "1:1-1", "allele_string": "G/A"}]}]],
    "get_ld_around_variant": [[{"variation1": "rs1", "variation2": "rs2", "r2": "0.95", "d_prime": "0.99", "population_name": "1000GENOMES:phase_3:CEU"}]],
    "get_beacon": [{"meta": {"beaconId": "org.ensembl.rest", "apiVersion": "v2.0.0"}, "response": {"id": "org.ensembl.rest", "name": "EBI - Ensembl GRCh38", "apiVersion": "v2.0.0", "organization": {"id": "ebi", "name": "EMBL European Bioinformatics Institute"}}}],
    "get_query_beacon": [{"meta": {"beaconId": "org.ensembl.rest"}, "responseSummary": {"exists": True, "numTotalResults": 1}, "response": {"resultSets": [{"id": "dbsnp", "setType": "dataset", "exists": True, "resultsCount": 1, "results": [_VARIANT]}]}}],
    "get_ga4gh_callsets": [
        {"id": "1:NA19777", "name": "NA19777", "sampleId": "NA19777", "variantSetIds": [1], "info": {"assembly_version": ["GRCh37"], "variantSetName": ["a set"]}, "created": "1", "updated": "1"},
        {**_RECORD, "referenceName": "1", "strand": "POS_STRAND", "featureType": {"id": "SO:0000673", "term": "transcript"}, "parentId": "ENSG1.1", "childIds": ["ENSE1.1"], "attributes": {"version": ["1"]}},
        {**_RECORD, "referenceSetId": "GRCh38", "datasetId": "Ensembl", "assemblyId": "GRCh38", "ncbiTaxonId": 9606, "metadata": [{"key": "INFO", "id": "AC"}]},
        {**_RECORD, "length": 5, "md5checksum": "x", "sourceAccessions": ["NC_1"], "sourceURI": "ftp://ftp.ensembl.org/"},
        {**_RECORD, "variantSetId": "Ensembl", "analysis": {"software": ["VEP"], "info": {"dbSNP_version": ["1"]}}},
        {**_RECORD, "names": ["rs1"], "referenceBases": "G", "alternateBases": ["A"], "calls": [{"callSetId": "1:NA1", "genotype": [0, 1]}]},
    ],
}


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _recorded() -> Iterator[tuple[str, str, Any, Context]]:
    index = RECORDED / "index.jsonl"
    if not index.is_file():
        return
    for line in index.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        name = row["function"] or FAMILIES.get(row["family"])
        if row["database"] != "ensembl" or name not in SUMMARIES:
            continue
        body = _parse((RECORDED / row["file"]).read_text(encoding="utf-8"))
        yield name, row["file"], body, Context(arguments={"id": unquote(row["url"].split("?")[0].split("/")[-1])})


BODIES = list(_recorded())


def _shuffled(value: Any, dice: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        dice.shuffle(keys)
        return {key: _shuffled(value[key], dice) for key in keys}
    return [_shuffled(item, dice) for item in value] if isinstance(value, list) else value


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


def _at(summary: Any, path: str) -> Any:
    for key in path.split("."):
        if isinstance(summary, list):
            summary = summary[int(key)] if key.isdigit() and int(key) < len(summary) else None
        elif isinstance(summary, dict):
            summary = summary.get(key)
        else:
            return None
    return summary


def _check(name: str, body: Any, context: Context) -> dict[str, Any]:
    summary = SUMMARIES[name](body, context)
    written = json.dumps(summary, ensure_ascii=False, allow_nan=False)
    again = SUMMARIES[name](_shuffled(body, random.Random(7)), context)
    assert json.dumps(again, ensure_ascii=False) == written, "the order of keys must not matter"
    assert len(written) <= LIMIT
    assert isinstance(summary, dict) and summary
    return summary


def test_every_ensembl_question_has_a_summary() -> None:
    assert len(SUMMARIES) == 84
    assert set(yaml.safe_load(QUESTIONS.read_text(encoding="utf-8"))) == set(SUMMARIES)


@pytest.mark.skipif(not BODIES, reason=MISSING)
@pytest.mark.parametrize(("name", "file", "body", "context"), BODIES, ids=[f"{name}-{Path(file).stem}" for name, file, _, _ in BODIES])
def test_recorded(name: str, file: str, body: Any, context: Context) -> None:
    summary = _check(name, body, context)
    assert any(leaf not in (None, "", 0) for leaf in _leaves(summary)) or body == []
    if isinstance(body, dict) and set(body) == {"error"}:
        assert summary == {"error": body["error"]}
    if isinstance(body, list) and name != "variant_recoder" and "vep" not in name:
        assert summary.get("total") == len(body)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_documented_shapes(name: str) -> None:
    for body in SAMPLES[name]:
        assert any(leaf not in (None, "", 0) for leaf in _leaves(_check(name, body, Context())))


@pytest.mark.parametrize("body", ["", "text", ">one\nACGT\n", "<html></html>", [], {}, [1, "a", None], {"error": "ID 'X' not found"}, {"data": None}, {"tree": None}, None, 5])
def test_odd_shapes_never_raise(body: Any) -> None:
    for name in SUMMARIES:
        assert _check(name, body, Context()) and "summary_error" not in summarise(name, "ensembl", body, Context())


def test_size_limit_states_its_cuts() -> None:
    long = [{"id": f"rs{number}", "feature_type": "variation", "start": number, "end": number, "alleles": ["A" * 500]} for number in range(3000)]
    summary = _check("overlap_by_region", long, Context())
    assert summary["total"] == 3000 and summary["shown"] == len(summary["items"])


def test_lookup_keeps_what_people_ask() -> None:
    summary = SUMMARIES["lookup_by_symbol"](SAMPLES["lookup_by_symbol"][0], Context())
    assert summary["display_name"] == "Sdhd" and summary["seq_region_name"] == "9"
    assert (summary["start"], summary["end"]) == (50507657, 50515112)
    assert summary["canonical"]["translation"]["length"] == 159


def test_vep_keeps_plugin_outputs() -> None:
    summary = SUMMARIES["vep_by_hgvs"](SAMPLES["vep_by_hgvs"][0], Context())
    assert summary["annotations"]["alphamissense"]["am_class"] == "likely_benign"
    assert summary["transcripts"]["items"][0]["spliceai"]["DS_AG"] == 0


# Asked of the atlas, which has these values from tables; no recorded body was made with mane=1, or of a biotype by name with its SO term.
UNRECORDED = {("lookup_by_id", path) for path in ("mane", "mane.items.0.type", "mane.items.0.refseq_match", "mane.items.0.id", "mane.total")} | {
    ("get_info_biotypes_name", "items.0.so_term")}


def test_every_asked_path_exists_in_a_real_body() -> None:
    """Paths are looked up in bodies of the function or of functions with the same summariser."""
    if not BODIES:
        pytest.skip(MISSING)
    found: dict[Any, list[Any]] = {}
    for name, _, body, context in BODIES:
        found.setdefault(SUMMARIES[name].__wrapped__, []).append(SUMMARIES[name](body, context))
    for name, bodies in SAMPLES.items():
        for body in bodies:
            found.setdefault(SUMMARIES[name].__wrapped__, []).append(SUMMARIES[name](body, Context(arguments={"id": "rs2"})))
    lost = []
    for name, entry in yaml.safe_load(QUESTIONS.read_text(encoding="utf-8")).items():
        summaries = found.get(SUMMARIES[name].__wrapped__, [])
        for phrasing in entry["phrasings"]:
            if not any(_at(summary, phrasing["asks"]) not in (None, "", [], {}) for summary in summaries):
                lost.append((name, phrasing["asks"]))
    assert set(lost) <= UNRECORDED and len(UNRECORDED) <= 8
