"""Rows of the public test database of Ensembl's REST service, transcribed by hand, for the Ensembl atlas.

Only what holds outside of that database is taken: vocabularies (biotypes, analyses), the comparative
species sets of release 80, and features of proteins that MANE v1.4 still lists in the same version.
"""

from __future__ import annotations

from pathlib import Path

from .collect_ensembl_tables import read_plain, write

# Group -> kind -> SO number (or none) -> biotypes; core/biotype.txt at 1d032f9b, only those of the core databases.
_PSEUDO = ("IG_J_pseudogene IG_V_pseudogene IG_pseudogene Mt_tRNA_pseudogene miRNA_pseudogene misc_RNA_pseudogene processed_pseudogene "
           "pseudogene rRNA_pseudogene scRNA_pseudogene snRNA_pseudogene snoRNA_pseudogene tRNA_pseudogene "
           "transcribed_processed_pseudogene transcribed_unitary_pseudogene transcribed_unprocessed_pseudogene unitary_pseudogene "
           "unprocessed_pseudogene TR_V_pseudogene IG_C_pseudogene TR_J_pseudogene translated_processed_pseudogene "
           "translated_unprocessed_pseudogene IG_D_pseudogene")
BIOTYPES = {
    ("coding", "gene"): {
        "0001217": "IG_C_gene IG_D_gene IG_J_gene IG_V_gene polymorphic_pseudogene protein_coding IG_Z_gene IG_M_gene TR_V_gene "
                   "TR_C_gene TR_J_gene TR_D_gene IG_LV_gene nontranslating_CDS",
        "": "unknown_likely_coding"},
    ("coding", "transcript"): {
        "0000478": "IG_C_gene TR_C_gene", "0000458": "IG_D_gene TR_D_gene", "0000470": "IG_J_gene TR_J_gene",
        "0000466": "IG_V_gene TR_V_gene", "3000000": "TR_gene IG_M_gene IG_Z_gene IG_LV_gene",
        "0000234": "nonsense_mediated_decay polymorphic_pseudogene protein_coding non_stop_decay nontranslating_CDS",
        "": "unknown_likely_coding"},
    ("pseudogene", "gene"): {"0000336": _PSEUDO},
    ("pseudogene", "transcript"): {"0000516": f"{_PSEUDO} disrupted_domain"},
    ("lnoncoding", "gene"): {
        "0001263": "lincRNA non_coding processed_transcript sense_intronic ambiguous_orf retained_intron sense_overlapping lncRNA "
                   "macro_lncRNA antitoxin ribozyme antisense",
        "0002185": "bidirectional_promoter_lncRNA", "": "3prime_overlapping_ncRNA ncRNA_host"},
    ("lnoncoding", "transcript"): {
        "0001877": "ambiguous_orf lincRNA non_coding processed_transcript retained_intron sense_intronic sense_overlapping ribozyme "
                   "antitoxin macro_lncRNA lncRNA antisense",
        "0002120": "3prime_overlapping_ncRNA", "": "ncRNA_host bidirectional_promoter_lncRNA"},
    ("snoncoding", "gene"): {
        "0001263": "Mt_rRNA Mt_tRNA miRNA ncRNA rRNA snRNA snlRNA snoRNA tRNA scRNA RNase_MRP_RNA RNase_P_RNA SRP_RNA pre_miRNA "
                   "class_I_RNA class_II_RNA piRNA vaultRNA scaRNA sRNA CRISPR",
        "": "known_ncRNA"},
    ("snoncoding", "transcript"): {
        "0000252": "Mt_rRNA rRNA", "0000253": "Mt_tRNA tRNA", "0000276": "miRNA", "0000655": "ncRNA known_ncRNA",
        "0000274": "snRNA snlRNA sRNA", "0000275": "snoRNA", "0000013": "scRNA scaRNA", "0000385": "RNase_MRP_RNA",
        "0000386": "RNase_P_RNA", "0001244": "pre_miRNA", "0000584": "tmRNA", "0000590": "SRP_RNA", "0000990": "class_I_RNA",
        "0000989": "class_II_RNA", "0001035": "piRNA", "0001459": "CRISPR", "0002040": "vaultRNA"},
    ("mnoncoding", "gene"): {"0001263": "misc_RNA"},
    ("mnoncoding", "transcript"): {"0000655": "misc_RNA"},
    ("LRG", "gene"): {"": "LRG_gene"},
    ("LRG", "transcript"): {"": "LRG_gene"},
    ("undefined", "gene"): {"": "TEC"},
    ("undefined", "transcript"): {"0002139": "TEC"},
    ("no_group", "gene"): {"0000111": "transposable_element"},
    ("no_group", "transcript"): {"0000101": "transposable_element"},
}
# core/analysis.txt at 1be16ce0.
ANALYSES = ("ensembl xrefexoneratedna human_cdna2genome xrefexonerateprotein xrefchecksum ncrna rfamblast ensembl_havana_gene "
            "ensembl_havana_transcript vertrna_havana uniprot_sw_havana uniprot_tr_havana pfam superfamily smart seg pfscan prints ccds "
            "havana est2genome_human_havana est2genome_other_havana human_cdna est2genome_mouse_havana human_protein tigrfam human_est "
            "ncoils assembly_patch_ensembl firstef cpg eponine")
# variation/source.txt at 5341a356.
_DBSNP = "http://www.ncbi.nlm.nih.gov/projects/SNP/"
VARIATION_SOURCES = [
    ("dbSNP", "138", "Variants (including SNPs and indels) imported from dbSNP", _DBSNP, "mixed", "variation"),
    ("Archive dbSNP", "138", "Former variants names imported from dbSNP", _DBSNP, "mixed", "variation_synonym"),
]
# multi/compara of release 80: method_link_species_set.txt, species_set.txt, and species_set_header.txt for the groups; members by number.
SPECIES_SETS = [
    ("EPO", "fish", "5 teleost fish EPO", "4 36 37 65 110"),
    ("EPO", "mammals", "13 eutherian mammals EPO", "31 60 61 90 108 117 122 123 125 132 134 135 140"),
    ("EPO", "birds", "3 neognath birds EPO", "87 112 142"),
    ("EPO_LOW_COVERAGE", "fish", "8 teleost fish EPO_LOW_COVERAGE", "4 36 37 65 110 126 130 137"),
    ("EPO_LOW_COVERAGE", "mammals", "36 eutherian mammals EPO_LOW_COVERAGE",
     "31 33 48 49 55 58 60 61 67 69 78 79 80 82 83 84 85 86 90 98 108 109 115 117 118 122 123 124 125 131 132 134 135 138 139 140"),
    ("PECAN", "amniotes", "20 amniota vertebrates Pecan", "31 43 46 60 61 87 90 108 111 112 117 122 123 125 132 134 135 139 140 142"),
]
# t/info.t.
PROJECTIONS = {"mus_musculus": "M.mus patch projections", "homo_sapiens": "H.sap patch projections"}
# core/protein_feature.txt and core/analysis.txt (types) at 1be16ce0, core/translation.txt at 39efc1a0:
# start-end[/start-end of the domain model] per feature.
PROTEIN_FEATURES = {
    ("ENSP00000296839.2", "ENST00000296839"): {
        ("Pfam", "PF00250"): "119-215/1-96", ("Superfamily", "SSF46785"): "117-215", ("Smart", "SM00339"): "117-208/1-99",
        ("low_complexity", "Seg"): "32-48 64-109 227-256 299-325 342-370", ("Prosite_profiles", "PS50310"): "47-103",
        ("Prosite_profiles", "PS50315"): "13-108", ("Prosite_profiles", "PS50099"): "221-397", ("Prosite_profiles", "PS50039"): "119-214",
        ("Prints", "PR00053"): "119-132 140-157 163-180"},
    ("ENSP00000370194.4", "ENST00000380815"): {
        ("Pfam", "PF01370"): "26-274/1-238", ("Pfam", "PF04321"): "27-219/4-160", ("Superfamily", "SSF51735"): "25-364",
        ("TIGRfam", "TIGR01472"): "24-365/1-341"},
    ("ENSP00000371073.2", "ENST00000381657"): {
        ("Pfam", "PF00388"): "84-183/24-120", ("Superfamily", "SSF51695"): "18-319", ("Smart", "SM00148"): "33-202/1-182",
        ("Prosite_profiles", "PS50007"): "35-179"},
    ("ENSP00000375080.3", "ENST00000390665"): {
        ("Superfamily", "SSF47473"): "298-479 122-288", ("low_complexity", "Seg"): "68-91 326-339",
        ("Prosite_profiles", "PS50222"): "388-423"},
}
# Names of the complexes 1, 468, 469 and 470, which the table of frequencies numbers; funcgen tables and t/regulatory.t.
COMPLEXES = {"ENSPFM0001": ["IRF8", "IRF9", "IRF5", "IRF4"]}
SOURCE = "ensembl_rest_testdb"
# Functions of which the atlas can answer nothing, and what would have to be sourced for it.
GAPS = {
    "get_cafe_genetree_by_id": "trees of family sizes (CAFE); the only public one is cut for a test",
    "get_cafe_genetree_by_member_id": "trees of family sizes (CAFE)",
    "get_cafe_genetree_by_member_symbol": "trees of family sizes (CAFE)",
    "get_info_divisions": "the metadata database of genomes",
    "get_info_eg_version": "the release of the metadata database of genomes",
    "get_info_genomes": "genome records: assembly accession, base count, what each genome has",
    "get_info_genomes_accession": "sequence accessions of genomes",
    "get_info_genomes_assembly": "genome records by assembly accession",
    "get_info_genomes_division": "genome records of a division",
    "get_info_genomes_taxonomy": "genome records of a taxon",
    "get_variation_by_pmcid": "which variants the service links to an article",
    "get_variation_by_pmid": "which variants the service links to an article",
    "get_ld_region": "every pair of a region; only pairs around single variants are recorded",
    "get_ga4gh_callsets": "when a sample's calls were created and changed",
    "get_ga4gh_references": "MD5 digests and accessions of the sequences of GRCh38",
    "get_ga4gh_referencesets": "the digest of the assembly and its accessions",
    "get_ga4gh_variants": "genotype files of the 1000 Genomes Project",
    "get_transcript_haplotypes": "phased genotypes of the 1000 Genomes Project",
}


def species_sets(tables: Path) -> list[list[object]]:
    """The sets with the production names of their members; raises if a name does not say how many there are."""
    names = {cells[0]: cells[2] for cells in read_plain(tables / "ensembl_compara.genome_db.txt")}
    # Four genomes have another number in that table, made later, than in the genome_db.txt of release 80.
    names |= {"86": "dasypus_novemcinctus", "90": "homo_sapiens", "110": "danio_rerio", "140": "rattus_norvegicus"}
    rows: list[list[object]] = [["ENSEMBL_PROJECTIONS", "", name, species, SOURCE] for species, name in PROJECTIONS.items()]
    for method, group, name, members in SPECIES_SETS:
        if not name.startswith(f"{len(members.split())} "):
            raise ValueError(f"{name}: {len(members.split())} members")
        rows.append([method, group, name, "|".join(names[number] for number in members.split()), SOURCE])
    return rows


def protein_features(mane: dict[str, str]) -> list[list[object]]:
    """The features, each a row; raises where MANE has the protein in another version than the features."""
    rows: list[list[object]] = []
    for (protein, transcript), features in PROTEIN_FEATURES.items():
        if mane.get(transcript) != protein:
            raise ValueError(f"{protein} is not the protein of {transcript} in MANE")
        for (kind, name), places in features.items():
            for place in places.split():
                own, _, model = place.partition("/")
                rows.append([protein.split(".")[0], kind, name, *own.split("-"), *(model or "0-0").split("-"), SOURCE])
    return rows


def matrices(tables: Path) -> list[list[object]]:
    """Binding matrices with their counts of A, C, G and T, one position after another."""
    counts: dict[str, dict[int, dict[str, str]]] = {}
    for _, matrix, position, letter, count in read_plain(tables / "ensembl_funcgen_rest.binding_matrix_frequencies.txt"):
        counts.setdefault(matrix, {}).setdefault(int(position), {})[letter] = count
    found: list[list[object]] = []
    for number, name, threshold, origin, stable in read_plain(tables / "ensembl_funcgen_rest.binding_matrix.txt"):
        places = counts[number]
        elements = "|".join(" ".join(places[position][letter] for letter in "ACGT") for position in sorted(places))
        found.append([stable, name, threshold, origin, "|".join(COMPLEXES[stable]), elements, "ensembl_funcgen_testdb"])
    return found


def collect(tables: Path, out: Path, mane: dict[str, str]) -> dict[str, int]:
    """Write these tables; `mane` gives the versioned protein of each MANE transcript."""
    kinds = [[name, kind, group, f"SO:{number}" if number else "", SOURCE]
             for (group, kind), by_number in BIOTYPES.items() for number, names in by_number.items() for name in names.split()]
    sources = [["homo_sapiens", *cells, "ensembl_variation_sources"] for cells in VARIATION_SOURCES]
    analyses = [["homo_sapiens", name, SOURCE] for name in ANALYSES.split()]
    tables_of: dict[str, tuple[str, list]] = {
        "biotypes": ("name:key object_type biotype_group:key so_acc source", kinds),
        "analyses": ("species:key logic_name source", analyses),
        "variation_sources": ("species name:key version description url somatic_status data_types source", sources),
        "species_sets": ("method:key species_set_group name species source", species_sets(tables)),
        "translation_features": ("translation:key type id start:int end:int hit_start:int hit_end:int source", protein_features(mane)),
        "binding_matrices": ("stable_id:key name threshold:float origin complexes elements source", matrices(tables)),
    }
    counts = {"ensembl_gaps": write(out, "ensembl_gaps", ["function:key", "missing"], GAPS.items())}
    return counts | {name: write(out, name, columns.split(), found) for name, (columns, found) in tables_of.items()}
