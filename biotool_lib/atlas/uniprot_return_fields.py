"""The names that `fields` may carry for UniProtKB, and what each of them leaves of an entry."""

from __future__ import annotations

from collections.abc import Callable

from werkzeug import Response

ROUTES: list[tuple[str, Callable[..., Response]]] = []
KEYS: dict[str, tuple[str, ...]] = {
    "accession": (), "id": ("uniProtkbId",), "gene_names": ("genes",), "gene_primary": ("genes",),
    "gene_synonym": ("genes",), "gene_oln": ("genes",), "gene_orf": ("genes",),
    "organism_name": ("organism.scientificName", "organism.commonName", "organism.taxonId", "organism.synonyms"),
    "organism_id": ("organism.taxonId",), "protein_name": ("proteinDescription",), "lineage": ("organism.lineage",),
    "lineage_ids": ("organism.lineage",), "virus_hosts": ("organismHosts",), "encoded_in": ("geneLocations",),
    "fragment": ("proteinDescription.flag",), "length": ("sequence.length",), "mass": ("sequence.molWeight",),
    "sequence": ("sequence",), "sequence_version": ("entryAudit.sequenceVersion",), "ec": ("proteinDescription",),
    "annotation_score": ("annotationScore",), "keyword": ("keywords",), "keywordid": ("keywords",),
    "protein_existence": ("proteinExistence",), "reviewed": (), "tools": (), "uniparc_id": (),
    "comment_count": ("extraAttributes",), "feature_count": ("extraAttributes",),
    "date_created": ("entryAudit.firstPublicDate",), "date_modified": ("entryAudit.lastAnnotationUpdateDate",),
    "date_sequence_modified": ("entryAudit.lastSequenceUpdateDate",), "version": ("entryAudit.entryVersion",),
    "lit_pubmed_id": ("references",), "lit_doi_id": ("references",), "structure_3d": (), "rhea": (),
    "go": (), "go_id": (), "go_p": (), "go_c": (), "go_f": (), "protein_families": (),
    "absorption": (), "kinetics": (), "ph_dependence": (), "redox_potential": (), "temp_dependence": (),
    "cc_sc_epred": (),
}
COMMENTS = {f"cc_{name.lower().replace(' ', '_')}": name for name in (
    "ACTIVITY REGULATION", "ALLERGEN", "ALTERNATIVE PRODUCTS", "BIOTECHNOLOGY", "CATALYTIC ACTIVITY", "CAUTION",
    "COFACTOR", "DEVELOPMENTAL STAGE", "DISEASE", "DISRUPTION PHENOTYPE", "DOMAIN", "FUNCTION", "INDUCTION",
    "INTERACTION", "MASS SPECTROMETRY", "MISCELLANEOUS", "PATHWAY", "PHARMACEUTICAL", "POLYMORPHISM", "PTM",
    "RNA EDITING", "SEQUENCE CAUTION", "SIMILARITY", "SUBCELLULAR LOCATION", "SUBUNIT", "TISSUE SPECIFICITY",
    "WEB RESOURCE")}
COMMENTS["cc_toxic_dose"] = "TOXIC DOSE"
COMMENTS |= {"protein_families": "SIMILARITY", "rhea": "CATALYTIC ACTIVITY"}
COMMENTS |= dict.fromkeys(("absorption", "kinetics", "ph_dependence", "redox_potential", "temp_dependence"), "BIOPHYSICOCHEMICAL PROPERTIES")
FEATURES = {
    "ft_act_site": "Active site", "ft_binding": "Binding site", "ft_carbohyd": "Glycosylation", "ft_chain": "Chain",
    "ft_coiled": "Coiled coil", "ft_compbias": "Compositional bias", "ft_conflict": "Sequence conflict",
    "ft_crosslnk": "Cross-link", "ft_disulfid": "Disulfide bond", "ft_dna_bind": "DNA binding", "ft_domain": "Domain",
    "ft_helix": "Helix", "ft_init_met": "Initiator methionine", "ft_intramem": "Intramembrane",
    "ft_lipid": "Lipidation", "ft_mod_res": "Modified residue", "ft_motif": "Motif", "ft_mutagen": "Mutagenesis",
    "ft_non_cons": "Non-adjacent residues", "ft_non_std": "Non-standard residue",
    "ft_non_ter": "Non-terminal residue", "ft_peptide": "Peptide", "ft_propep": "Propeptide", "ft_region": "Region",
    "ft_repeat": "Repeat", "ft_signal": "Signal", "ft_site": "Site", "ft_strand": "Beta strand",
    "ft_topo_dom": "Topological domain", "ft_transit": "Transit peptide", "ft_transmem": "Transmembrane",
    "ft_turn": "Turn", "ft_unsure": "Sequence uncertainty", "ft_var_seq": "Alternative sequence",
    "ft_variant": "Natural variant", "ft_zn_fing": "Zinc finger",
}
DATABASES = """CCDS EMBL GeneRIF PIR RefSeq AlphaFoldDB BMRB EMDB PCDDB PDB PDBsum SASBDB SMR BioGRID CORUM
ComplexPortal DIP ELM FunCoup IntAct MINT NDEx STRING BindingDB ChEBI ChEMBL DrugBank DrugCentral GuidetoPHARMACOLOGY
SwissLipids Allergome CARD CAZy ESTHER IMGT_GENE-DB MEROPS MoonDB MoonProt PeroxiBase REBASE TCDB UniLectin CarbonylDB
DEPOD GlyConnect GlyCosmos GlyGen MetOSite PhosphoSitePlus SwissPalm UniCarbKB iPTMnet AlzForum BioMuta DMDM dbSNP OGP
REPRODUCTION-2DPAGE CPTAC MassIVE PRIDE PaxDb PeptideAtlas ProMEX ProteomicsDB Pumba TopDownProteomics jPOST ABCD
Antibodypedia CPTC DNASU YCharOS Ensembl EnsemblBacteria EnsemblFungi EnsemblMetazoa EnsemblPlants EnsemblProtists
GeneID Gramene KEGG MANE-Select PATRIC UCSC VectorBase WBParaSite AGR ArachnoServer Araport CGD CIViC CTD ClinPGx
ConoServer DisGeNET EchoBASE FlyBase GeneCards GeneReviews HGNC HPA IC4R JaponicusDB LegioList Leproma MGI MIM MaizeGDB
MalaCards NIAGADS OpenTargets Orphanet PharmGKB PomBase PseudoCAP RGD SGD TAIR TubercuList VEuPathDB VGNC WormBase
Xenbase ZFIN dictyBase euHCVdb GeneTree HOGENOM InParanoid OMA OrthoDB PAN-GO PhylomeDB eggNOG BRENDA BioCyc
PathwayCommons PlantReactome Reactome SABIO-RK SIGNOR STRENDA-DB SignaLink UniPathway Agora BioGRID-ORCS CD-CODE ChiTaRS
EvolutionaryTrace GeneWiki GenomeRNAi ORCID PGenN PHI-base PRO Pharos PubTator RNAct eMIND ABASYATLAS Bgee CleanEx
CollecTF ExpressionAtlas AntiFam CDD DisProt FunFam Gene3D HAMAP IDEAL InterPro NCBIfam PANTHER PIRSF PRINTS PROSITE
Pfam SFLD SMART SUPFAM Proteomes""".split()  # noqa: SIM905
XREFS = {f"xref_{name.lower()}": name for name in DATABASES}
GO = {"go": "", "go_id": "", "go_p": "P:", "go_c": "C:", "go_f": "F:"}
RETURN_FIELDS: dict[str, tuple[str, ...]] = (
    KEYS | dict.fromkeys((*COMMENTS, *FEATURES, *XREFS), ())
)


def shape_entry(body: dict, names: list[str]) -> dict:
    """An entry reduced to some fields; type, accession and UniParc identifier always stay."""
    asked = [name.lower() for name in names]
    keys = {key for name in asked for key in RETURN_FIELDS[name]}
    kinds = {COMMENTS[name] for name in asked if name in COMMENTS}
    shapes = {FEATURES[name] for name in asked if name in FEATURES}
    databases = {XREFS[name] for name in asked if name in XREFS} | ({"PDB"} if "structure_3d" in asked else set())
    aspects = [GO[name] for name in asked if name in GO]
    out: dict = {}
    for key, value in body.items():
        if key in ("entryType", "primaryAccession"):
            out[key] = value
        elif key == "extraAttributes":
            out[key] = value if key in keys else {k: v for k, v in value.items() if k == "uniParcId"}
        elif key == "comments" and kinds:
            out[key] = [item for item in value if item["commentType"] in kinds]
        elif key == "features" and shapes:
            out[key] = [item for item in value if item["type"] in shapes]
        elif key == "uniProtKBCrossReferences" and (databases or aspects):
            out[key] = [item for item in value if item["database"] in databases or _go(item, aspects)]
        elif key in keys:
            out[key] = value
        else:
            part = {inner: value[inner] for inner in value if f"{key}.{inner}" in keys} if isinstance(value, dict) else {}
            if part:
                out[key] = part
    return {key: value for key, value in out.items() if value != []}


def _go(item: dict, aspects: list[str]) -> bool:
    if item["database"] != "GO":
        return False
    term = next((pair["value"] for pair in item.get("properties", []) if pair["key"] == "GoTerm"), "")
    return any(term.startswith(aspect) for aspect in aspects)
