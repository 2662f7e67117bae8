"""The Ensembl part of the atlas: shapes, errors, truthfulness of its tables, and every call that its plans propose."""

from __future__ import annotations

import json
import random
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from werkzeug.test import Client

from biotool_lib.atlas import (
    ensembl,
    ensembl_compara,
    ensembl_features,
    ensembl_ga4gh,
    ensembl_info,
    ensembl_map,
    ensembl_terms,
    ensembl_variation,
    store,
)
from biotool_lib.atlas.app import Atlas
from biotool_lib.atlas.collect_ensembl_spans import admitted, transcribed
from biotool_lib.atlas.collect_ensembl_terms import canonical_path, canonical_query, synonym
from biotool_lib.calls import fill
from biotool_lib.gateway.request import prepare

MODULES = (ensembl, ensembl_compara, ensembl_features, ensembl_ga4gh, ensembl_info, ensembl_map, ensembl_terms, ensembl_variation)
PLANS = yaml.safe_load((Path(store.HERE).parent / "calls" / "plans_ensembl.yaml").read_text(encoding="utf-8"))


@cache
def client() -> Client:
    return Client(Atlas([route for module in MODULES for route in module.ROUTES]))


def get(url: str) -> tuple[int, object]:
    response = client().get(url)
    return response.status_code, json.loads(response.text)


def ok(url: str):
    """The body of an answer that must be there."""
    status, body = get(url)
    assert status == 200, body
    return body


def error(url: str, status: int = 400) -> str:
    found, body = get(url)
    assert found == status and list(body) == ["error"], body
    return body["error"]


def test_gene_by_symbol_and_id_agree_and_species_have_aliases():
    body = ok("/lookup/symbol/homo_sapiens/BRCA1")
    assert body == ok("/lookup/id/ENSG00000012048") == ok("/lookup/symbol/human/brca1") == ok("/lookup/symbol/9606/BRCA1")
    assert (body["id"], body["object_type"], body["seq_region_name"], body["strand"]) == ("ENSG00000012048", "Gene", "17", -1)
    assert body["start"] <= 43044295 and body["end"] >= 43125364
    assert ok("/lookup/symbol/mouse/Trp53")["assembly_name"] == "GRCm39"


def test_expanded_gene_holds_whole_transcripts():
    body = ok("/lookup/id/ENSG00000157764?expand=1")
    assert len(body["Transcript"]) > 5
    first = next(t for t in body["Transcript"] if t["id"] == "ENST00000646891")
    assert first["length"] == sum(e["end"] - e["start"] + 1 for e in first["Exon"])
    assert first["Translation"]["Parent"] == first["id"]


def test_expanding_what_is_not_wholly_known_is_refused_not_faked():
    assert error("/lookup/id/ENSG00000012048?expand=1") == "ID 'ENSG00000012048' not found"
    assert error("/lookup/id/ENSP00000269305?expand=1") == "Expand option only available for Genes and Transcripts"


@pytest.mark.parametrize(("url", "message"), [
    ("/lookup/id/ENSG00000000000", "ID 'ENSG00000000000' not found"),
    ("/lookup/id/ENST00000269305.3", "ID 'ENST00000269305.3' not found"),
    ("/lookup/symbol/homo_sapiens/NOSUCHGENE", "No valid lookup found for symbol NOSUCHGENE"),
    ("/lookup/symbol/klingon/BRCA1", "Can not find internal name for species 'klingon'"),
    ("/lookup/id/ENSG00000012048?format=tiny", "The format 'tiny' is not an understood encoding"),
    ("/variation/human/rs0000000001", "rs0000000001 not found for human"),
    ("/map/cds/ENST00000269305/abc", "Region did not correctly parse. Please check documentation"),
    ("/map/cdna/ENSP00000269305/1..9", "Expected a Bio::EnsEMBL::Transcript object but got a Bio::EnsEMBL::Translation object back. Check your ID"),
    ("/ontology/id/GO:9999999", "No ontology term found for 'GO:9999999'"),
    ("/taxonomy/id/123456789", "No taxon node found for '123456789'"),
    ("/taxonomy/name/Unicornis", "No taxons found with given name 'Unicornis'"),
    ("/archive/id/ENSG00000000000", "No archive found for ENSG00000000000"),
    ("/overlap/region/human/7:1-100", "No feature given. Please specify a feature to retrieve from this service"),
    ("/overlap/region/human/99:1-100?feature=gene", "No slice found for location 99:1-100"),
    ("/overlap/region/human/1:250000000-250000100?feature=gene", "Cannot request a slice whose start (250000000) is greater than 248956422 for 1."),
    ("/overlap/region/human/1:500-100?feature=gene", "Cannot request a slice whose start is greater than its end. Start: 500. End: 100"),
    ("/overlap/region/human/1:1-5000001?feature=gene",
     "5000001 is greater than the maximum allowed length of 5000000. Request smaller regions of sequence"),
    ("/sequence/region/human/1:1-10000001",
     "10000001 is greater than the maximum allowed length of 10000000. Request smaller regions of sequence"),
    ("/overlap/region/human/7:1-100?feature=variation&variant_set=nobody", "No VariationSet found with short name: nobody"),
    ("/info/assembly/human/99", "No slice found for location 99"),
    ("/info/external_dbs/human?feature=nonsense", "No external db entries for feature 'nonsense'"),
    ("/phenotype/gene/human/NOSUCHGENE", "Gene NOSUCHGENE not found."),
])
def test_the_services_own_errors(url, message):
    assert error(url) == message


def test_an_unknown_page_is_404():
    assert error("/nothing/here", 404) == "page not found: /nothing/here"


def test_callback_wraps_the_answer():
    response = client().get("/info/ping?callback=then")
    assert response.text == 'then({"ping":1});' and response.mimetype == "text/javascript"


def test_every_catalogue_function_has_a_route():
    from biotool_lib.catalogue import tools

    adapter = client().application.map.bind("rest.ensembl.org")
    served = {}
    for tool in tools().values():
        if tool.database == "ensembl":
            path = "/" + "/".join("X1" if parameter else text for text, parameter, _ in tool.segments())
            endpoint, values = adapter.match(path)  # raises NotFound where there is no route
            assert len(values) == path.count("X1"), f"{path} is served by a route of another form"
            served[tool.name] = endpoint
    assert len(served) == 84


def test_mapping_follows_the_exons():
    pieces = ok("/map/cds/ENST00000269305/1..1182")["mappings"]
    assert sum(p["end"] - p["start"] + 1 for p in pieces) == 1182
    assert pieces[0]["end"] == 7676594 and pieces[-1]["start"] == 7669609
    beyond = ok("/map/translation/ENSP00000269305/390..400")["mappings"][-1]
    assert (beyond["gap"], beyond["strand"]) == (1, 0)
    one = ok("/map/human/GRCh37/7:55249071..55249071:1/GRCh38")["mappings"][0]
    assert one["mapped"]["start"] == 55181378


def test_recorded_mappings_of_braf_are_reproduced():
    first = ok("/map/cdna/ENST00000288602/100..300")["mappings"][0]
    assert (first["start"], first["end"]) == (140924566, 140924633)
    assert ok("/map/cds/ENST00000288602/1..1000")["mappings"][0]["end"] == 140924703
    assert ok("/map/translation/ENSP00000288602/100..300")["mappings"][0]["end"] == 140834815


def test_proteins_have_the_length_of_their_coding_range():
    for entry in store.rows("SELECT s.id, length(s.sequence) AS size, t.protein_length FROM translation_sequences s JOIN transcripts t "
                            "ON t.translation = s.id WHERE t.protein_length IS NOT NULL"):
        assert entry["size"] == entry["protein_length"], entry["id"]
    part = ok("/sequence/id/ENSP00000269305?start=1&end=10")
    assert part["molecule"] == "protein" and len(part["seq"]) == 10


def test_reverse_strand_is_the_reverse_complement():
    forward, back = ok("/sequence/region/human/MT:1..60:1"), ok("/sequence/region/human/MT:1..60:-1")
    assert back["seq"] == forward["seq"].translate(str.maketrans("ACGT", "TGCA"))[::-1]
    assert forward["id"] == "chromosome:GRCh38:MT:1:60:1"
    assert error("/sequence/region/human/7:1000..1010:1").startswith("No slice found")


def test_orthologues_need_a_target_and_go_both_ways():
    there = ok("/homology/symbol/human/BRCA1?target_species=mouse&format=condensed")["data"][0]["homologies"]
    assert [h["species"] for h in there] == ["mus_musculus"]
    back = ok(f"/homology/id/mouse/{there[0]['id']}?target_taxon=9606")["data"][0]["homologies"]
    assert back[0]["target"]["id"] == "ENSG00000012048"
    error("/homology/symbol/human/BRCA1")
    error("/homology/symbol/human/BRCA1?target_species=mouse&type=paralogues")


def test_variant_keys_are_whole_only_where_recorded():
    whole, part = ok("/variation/human/rs2153271"), ok("/variation/human/rs4244285")
    assert {"MAF", "synonyms", "evidence", "most_severe_consequence"} <= set(whole)
    assert set(part) == {"name", "var_class", "mappings"} and "allele_string" not in part["mappings"][0]
    assert ok("/variation/human/rs2153271?pops=1")["populations"]
    error("/variation/human/rs4244285?pops=1")


def test_ld_thresholds_and_windows():
    base = "/ld/human/rs59334502/1000GENOMES:phase_3:CEU"
    everything, strong = ok(base), ok(base + "?r2=0.8")
    assert 0 < len(strong) < len(everything) and all(float(p["r2"]) >= 0.8 for p in strong)
    assert ok(base + "?window_size=500") == everything
    error(base + "?window_size=100")
    assert error("/ld/human/rs59334502/NOWHERE").startswith("Could not fetch population object")


def test_ontology_relatives():
    missense = ok("/ontology/id/SO:0001583")
    assert missense["name"] == "missense_variant" and "SO:0001992" in [p["accession"] for p in missense["parents"]]
    above = [t["accession"] for t in ok("/ontology/ancestors/SO:0001583")]
    assert "SO:0001060" in above and "SO:0001583" not in above
    assert "SO:0001583" in [t["accession"] for t in ok("/ontology/descendants/SO:0001060")]
    assert set(ok("/ontology/ancestors/chart/SO:0001583")) == {*above, "SO:0001583"}
    error("/ontology/id/GO:0000278")  # only the term is held, not its neighbours
    assert ok("/ontology/id/GO:0000278?simple=1")["namespace"] == "biological_process"


def test_taxonomy():
    human = ok("/taxonomy/id/9606")
    assert human == ok("/taxonomy/id/Homo%20sapiens") and human["parent"]["name"] == "Homo" and human["id"] == "9606"
    names = [t["name"] for t in ok("/taxonomy/classification/9606")]
    assert names[0] == "Homo" and {"Primates", "Mammalia", "Metazoa"} <= set(names)


def test_information():
    assembly = ok("/info/assembly/human")
    assert len(assembly["karyotype"]) == 25 and len(assembly["top_level_region"]) == 194
    assert ok("/info/assembly/human/X")["length"] == 156040895
    assert {"homo_sapiens", "mus_musculus"} <= {s["name"] for s in ok("/info/species")["species"]}
    assert "consequence_ranking" in ok("/info/variation/consequence_types?rank=1")[0]
    assert all(d["name"].startswith("HGNC") for d in ok("/info/external_dbs/human?filter=HGNC%25"))
    assert "Homology.homology" in ok("/info/compara/methods?class=Homology")


def test_biotypes_and_sources():
    assert ok("/info/biotypes/groups") == ["coding", "lnoncoding", "LRG", "mnoncoding", "no_group", "pseudogene", "snoncoding", "undefined"]
    one = ok("/info/biotypes/name/protein_coding/gene")
    assert one == [{"name": "protein_coding", "biotype_group": "coding", "object_type": "gene", "so_acc": "SO:0001217", "so_term": "protein_coding_gene"}]
    assert [b["object_type"] for b in ok("/info/biotypes/name/protein_coding")] == ["gene", "transcript"]
    assert error("/info/biotypes/groups/nonsense/gene", 404) == "biotypes not found for group nonsense and object_type gene"
    assert {b["biotype"]: b["objects"] for b in ok("/info/biotypes/human")}["protein_coding"] == ["gene", "transcript"]
    assert error("/info/biotypes/klingon") == "Could not fetch adaptor for species klingon"
    assert ok("/info/analysis/human")["pfam"] == ["core"] and ok("/info/analysis/klingon") == {}
    assert ok("/info/variation/human?filter=dbSNP")[0]["version"] == "138"
    assert error("/info/variation/human?filter=Nobody") == "Variation source 'Nobody' not found for human"
    assert [len(s["species_set"]) for s in ok("/info/compara/species_sets/EPO")] == [13, 3, 5]
    assert ok("/info/species?division=ensemblvertebrates") == ok("/info/species") and ok("/info/species?division=EnsemblPlants") == {"species": []}


def test_features_of_proteins():
    domains = ok("/overlap/translation/ENSP00000371073")
    assert {d["type"] for d in domains} == {"Pfam", "Superfamily", "Smart", "Prosite_profiles"}
    assert [d["id"] for d in ok("/overlap/translation/ENSP00000371073?type=pfam")] == ["PF00388"]
    exons = ok("/overlap/translation/ENSP00000288602?feature=translation_exon")
    assert exons[0]["start"] == 1 and exons[-1]["end"] == ok("/lookup/id/ENSP00000288602")["length"]
    shared = ok("/overlap/translation/ENSP00000288602?feature=residue_overlap")
    # A residue that two exons share ends one of them and begins the next.
    assert {s["start"] for s in shared} == {a["end"] for a, b in pairwise(exons) if a["end"] == b["start"]}
    assert error("/overlap/translation/ENSP00000288602?feature=gene") == "The feature type gene is not understood"
    assert error("/overlap/translation/ENSP00000269305") == "ID 'ENSP00000269305' not found"


def test_gene_trees_answer_for_their_members_when_nothing_of_them_is_changed():
    tree = ok("/genetree/id/ENSGT00390000003602")
    assert tree == ok("/genetree/member/symbol/human/BRCA2") == ok("/genetree/member/id/human/ENSP00000369497?sequence=protein")
    assert error("/genetree/member/symbol/human/BRCA2?aligned=1") == "No GeneTree found for Gene ID ENSG00000139618"
    assert error("/genetree/member/symbol/human/NOSUCHGENE") == "Lookup found nothing."
    assert error("/genetree/member/id/human/ENSG00000000000") == "Unable to find given object: ENSG00000000000"
    assert error("/cafe/genetree/member/symbol/human/BRCA2") == "No GeneTree found for Gene ID ENSG00000139618"


def test_binding_matrix():
    body = ok("/species/human/binding_matrix/ENSPFM0001/?unit=frequencies")
    assert body["length"] == len(body["elements"]) == 15 and body["max_position_sum"] == max(sum(p.values()) for p in body["elements"].values())
    assert [line.split("\t")[0] for line in body["elements_string"].splitlines()] == [str(n) for n in body["elements"]["1"].values()]
    assert error("/species/human/binding_matrix/ENSPFM0001/?unit=bits") == "Not possible to get the binding matrix with Bits. Please try a different unit"
    assert error("/species/human/binding_matrix/ENSPFM9999") == "Binding Matrix ENSPFM9999 not found. Please check spelling."


def test_ga4gh():
    query = "/ga4gh/beacon/query?referenceName=19&start=44908821&referenceBases=C&assemblyId=GRCh38"
    assert ok(query + "&alternateBases=T&includeResultsetResponses=NONE")["responseSummary"] == {"exists": True, "numTotalResults": 0}
    assert ok(query + "&alternateBases=A")["responseSummary"]["exists"] is False
    error(query + "&alternateBases=T")  # which data sets have it is not held
    assert ok(query)["error"]["errorMessage"] == "Missing mandatory parameter alternateBases"
    other = ok(query.replace("38", "37", 1) + "&alternateBases=T")
    assert other["error"] == {"errorCode": 400, "errorMessage": "User provided assemblyId (GRCh37) does not match with dataset assembly (GRCh38)"}
    feature = ok("/ga4gh/features/ENST00000646891.2")
    place = ok("/lookup/id/ENST00000646891")
    assert (feature["start"], feature["end"], feature["strand"]) == (place["start"] - 1, place["end"], "NEG_STRAND")
    assert feature["childIds"][-1] == "ENSP00000493543.1" and feature["featureType"]["id"] == "SO:0000673"
    assert error("/ga4gh/features/ENST00000646891.1") == "  Cannot find transcript feature for id ENST00000646891.1"
    assert ok("/ga4gh/variantsets/Ensembl.116.GRCh38")["datasetId"] == "Ensembl" and ok("/ga4gh/variantannotationsets/other") == {"variantAnnotationSets": []}
    assert error("/ga4gh/variants/1:rs1", 404) == " variant 1:rs1 not found"


def test_recorded_terms_of_2013_stand_where_they_belong():
    above = {t["accession"] for t in ok("/ontology/ancestors/GO:0005667")}
    assert above | {"GO:0005667"} == set(ok("/ontology/ancestors/chart/GO:0005667"))
    below = {t["accession"] for t in ok("/ontology/descendants/GO:0005667")}
    assert not above & below and {c["accession"] for c in ok("/ontology/id/GO:0005667")["children"]} <= below


def test_predictions_by_place_are_those_of_the_variant_there():
    there, variant = ok("/vep/human/region/7:140425026-140425026:1/C/")[0], ok("/vep/human/id/rs10244642")[0]
    assert there["id"] == "7_140425026_T/C" and there["input"] == "7 140425026 140425026 T/C 1"
    assert {k: v for k, v in there.items() if k != "input"} == variant | {"id": there["id"]}
    assert error("/vep/human/region/7:140425026-140425026:1/Q") == "Allele must be A,T,G,C or SO term [got: Q]"


def test_recorded_replies_answer_exactly_their_request():
    assert ok("/vep/homo_sapiens/id/COSM476")[0]["assembly_name"] == "GRCh38"
    assert ok("/variant_recoder/human/rs6025?vcf_string=1")
    error("/variant_recoder/human/rs6025")
    assert canonical_path("/vep/human/hgvs/NM_1%3Ac.1000G%3EA") == "/vep/homo_sapiens/hgvs/NM_1:c.1000G>A"
    assert canonical_query("content-type=application/json;pops=1;a=2") == "a=2&pops=1"
    assert synonym('"a \\"b\\"" EXACT AAMOD [x:1]') == '"a \\"b\\"" [x:1]'


def test_transcribed_spans_are_checked():
    mane = {"chromosome": "7", "start": 100, "end": 200}
    assert admitted(("7", 90, 200), mane)
    assert not admitted(("7", 101, 200), mane) and not admitted(("8", 90, 210), mane) and not admitted(("7", 90, 210), None)
    assert len({row[0] for row in transcribed() if row[4] == "ensdb86"}) == len([r for r in transcribed() if r[4] == "ensdb86"])
    known = {r["symbol"]: r for r in store.rows("SELECT * FROM genes WHERE source IN ('ensdb86', 'biomart_egfr', 'ensembl_gtf_gapdh')")}
    for symbol, gene in known.items():
        mane_row = store.row("SELECT * FROM transcripts WHERE gene = ? AND mane = 'MANE Select'", gene["id"])
        assert mane_row is None or (gene["start"] <= mane_row["start"] and gene["end"] >= mane_row["end"] and gene["strand"] == mane_row["strand"]), symbol


def proposed(most: int | None = None) -> list[tuple[str, dict]]:
    """Calls of every plan: as many things as its limit says (or `most`), and every option for the first of them."""
    calls = []
    for function, plans in PLANS.items():
        for number, plan in enumerate(plans):
            things = [dict(row) for row in store.entities(plan["from"], plan.get("where", ""))]
            assert things, (function, plan)
            random.Random(number).shuffle(things)
            options = [(name, value) for name, values in plan.get("options", {}).items() for value in values]
            for turn, thing in enumerate(things[:most or plan["limit"]]):
                base = {name: fill(value, thing) for name, value in plan["arguments"].items()}
                assert None not in base.values(), (function, plan, thing)
                calls += [(function, base), *((function, base | {name: value}) for name, value in options if most or turn < 2)]
    return calls


WITHOUT_ANSWER = "/info/biotypes/name/nonsense_mediated_decay/gene"  # a biotype of transcripts: not found, and dropped when calls are executed


def test_every_proposed_call_is_answered_with_content():
    calls = proposed()
    assert len(calls) > 1300 and len({function for function, _ in calls}) >= 40
    empty = []
    for function, arguments in calls:
        url = prepare(function, arguments).url.removeprefix("https://rest.ensembl.org")
        status, body = get(url)
        if url != WITHOUT_ANSWER and (status != 200 or not body or body == {"mappings": []}):
            empty.append((status, url, body))
    assert not empty, f"{len(empty)} of {len(calls)}: {empty[:5]}"
