-- Things about which UniProt can be asked, one view each; every row is something that the atlas answers for.

CREATE VIEW entity_protein AS
SELECT p.accession, p.entry_name, p.gene, p.name AS protein_name, t.scientific_name AS organism,
       CAST(p.taxon_id AS TEXT) AS taxon_id, p.length, p.mass, p.uniparc, p.coverage, p.status, p.ec_numbers
FROM proteins p JOIN taxa t USING (taxon_id);

CREATE VIEW entity_known_protein AS  -- with all comments, features and papers
SELECT * FROM entity_protein WHERE coverage = 'full' AND gene IS NOT NULL AND status = 'reviewed';

CREATE VIEW entity_gene_of_species AS
SELECT gene, taxon_id, organism, accession FROM entity_protein
WHERE status = 'reviewed' AND gene IS NOT NULL AND gene NOT LIKE '% %' AND gene NOT LIKE '%/%' AND gene NOT LIKE '%(%'
  AND taxon_id IN ('9606', '10090', '10116', '9913', '9823', '9986', '7227', '9031', '7955', '559292');

CREATE VIEW entity_protein_part AS  -- what can be asked of an entry by the choice of fields
SELECT DISTINCT f.accession, p.gene, p.name AS protein_name, CASE f.type
    WHEN 'Domain' THEN 'ft_domain' WHEN 'Active site' THEN 'ft_act_site' WHEN 'Binding site' THEN 'ft_binding'
    WHEN 'Signal' THEN 'ft_signal' WHEN 'Transmembrane' THEN 'ft_transmem' WHEN 'Modified residue' THEN 'ft_mod_res'
    WHEN 'Glycosylation' THEN 'ft_carbohyd' WHEN 'Disulfide bond' THEN 'ft_disulfid' WHEN 'Motif' THEN 'ft_motif'
    WHEN 'Zinc finger' THEN 'ft_zn_fing' WHEN 'Repeat' THEN 'ft_repeat' WHEN 'Propeptide' THEN 'ft_propep'
    END AS field
FROM protein_features f JOIN proteins p USING (accession)
WHERE p.gene IS NOT NULL AND (p.coverage = 'full' OR p.taxon_id = 9606) AND f.type IN (
    'Domain', 'Active site', 'Binding site', 'Signal', 'Transmembrane', 'Modified residue', 'Glycosylation',
    'Disulfide bond', 'Motif', 'Zinc finger', 'Repeat', 'Propeptide')
UNION
SELECT DISTINCT c.accession, p.gene, p.name, CASE c.type
    WHEN 'FUNCTION' THEN 'cc_function' WHEN 'DISEASE' THEN 'cc_disease' WHEN 'SUBUNIT' THEN 'cc_subunit'
    WHEN 'SUBCELLULAR LOCATION' THEN 'cc_subcellular_location' WHEN 'TISSUE SPECIFICITY' THEN 'cc_tissue_specificity'
    WHEN 'CATALYTIC ACTIVITY' THEN 'cc_catalytic_activity' WHEN 'PTM' THEN 'cc_ptm' WHEN 'COFACTOR' THEN 'cc_cofactor'
    WHEN 'INTERACTION' THEN 'cc_interaction' WHEN 'ALTERNATIVE PRODUCTS' THEN 'cc_alternative_products' END
FROM protein_comments c JOIN proteins p USING (accession)
WHERE p.gene IS NOT NULL AND c.type IN (
    'FUNCTION', 'DISEASE', 'SUBUNIT', 'SUBCELLULAR LOCATION', 'TISSUE SPECIFICITY', 'CATALYTIC ACTIVITY', 'PTM',
    'COFACTOR', 'INTERACTION', 'ALTERNATIVE PRODUCTS')
UNION
SELECT DISTINCT x.accession, p.gene, p.name, 'xref_' || lower(x.database)
FROM protein_xrefs x JOIN proteins p USING (accession)
WHERE p.gene IS NOT NULL AND x.database IN ('PDB', 'Ensembl', 'InterPro', 'Pfam', 'MIM', 'Reactome', 'KEGG', 'RefSeq');

CREATE VIEW entity_used_keyword AS
SELECT k.keyword_id, k.name AS keyword, k.category, CAST(p.taxon_id AS TEXT) AS taxon_id, count(*) AS proteins
FROM proteins p, json_each('["' || replace(p.keywords, '|', '","') || '"]') word
JOIN keywords k ON k.name = word.value
WHERE p.keywords IS NOT NULL AND p.status = 'reviewed' AND p.taxon_id IN (9606, 10090, 10116, 9913)
  AND k.category NOT IN ('Technical term')
GROUP BY k.keyword_id, p.taxon_id HAVING count(*) >= 3;

CREATE VIEW entity_protein_disease AS
SELECT p.accession, p.gene, c.body_json ->> '$.disease.diseaseId' AS disease,
       c.body_json ->> '$.disease.acronym' AS acronym, c.body_json ->> '$.disease.diseaseAccession' AS disease_id
FROM protein_comments c JOIN proteins p USING (accession)
WHERE c.type = 'DISEASE' AND p.gene IS NOT NULL AND c.body_json ->> '$.disease.diseaseId' IS NOT NULL
  AND c.body_json ->> '$.disease.acronym' NOT GLOB '*[^A-Za-z0-9-]*';

CREATE VIEW entity_used_location AS
SELECT place.value ->> '$.location.id' AS location_id, l.name AS location, CAST(p.taxon_id AS TEXT) AS taxon_id,
       count(DISTINCT p.accession) AS proteins
FROM protein_comments c JOIN proteins p USING (accession),
     json_each(c.body_json, '$.subcellularLocations') place
JOIN subcellular_locations l ON l.location_id = place.value ->> '$.location.id'
WHERE c.type = 'SUBCELLULAR LOCATION' AND p.status = 'reviewed' AND p.taxon_id IN (9606, 10090, 10116)
GROUP BY 1, 3 HAVING count(DISTINCT p.accession) >= 2;

CREATE VIEW entity_enzyme_class AS
SELECT DISTINCT number.value AS ec, CAST(p.taxon_id AS TEXT) AS taxon_id
FROM proteins p, json_each('["' || replace(p.ec_numbers, '|', '","') || '"]') number
WHERE p.ec_numbers IS NOT NULL AND p.status = 'reviewed' AND p.taxon_id IN (9606, 10090, 10116)
  AND number.value NOT LIKE '%-%';

CREATE VIEW entity_structure AS
SELECT DISTINCT id AS pdb_id, accession FROM protein_xrefs WHERE database = 'PDB';

CREATE VIEW entity_protein_domain AS
SELECT id AS domain_id, count(DISTINCT accession) AS proteins FROM protein_xrefs
WHERE database IN ('InterPro', 'Pfam') GROUP BY id HAVING count(DISTINCT accession) >= 3;

CREATE VIEW entity_linked_id AS
SELECT DISTINCT lower(x.database) AS database, lower(x.id) AS linked_id, x.accession
FROM protein_xrefs x WHERE x.database IN ('MIM', 'GeneID', 'CCDS', 'ChEMBL', 'MGI', 'RGD')
  AND x.id NOT GLOB '*[^A-Za-z0-9.]*';

CREATE VIEW entity_size_class AS
SELECT column1 AS low, column2 AS high, column3 AS taxon_id, column4 AS word FROM (VALUES
    (50, 350, '9606', 'receptor'), (100, 300, '9606', 'kinase'), (300, 400, '9606', 'receptor'),
    (350, 500, '9606', 'kinase'), (200, 400, '10090', 'receptor'), (300, 600, '10116', 'channel'),
    (500, 700, '9606', 'transporter'), (600, 900, '9606', 'protease'), (200, 300, '9606', 'carbonic'),
    (1000, 1500, '9606', 'kinase'), (400, 800, '9606', 'phosphodiesterase'), (150, 400, '9606', 'caspase'),
    (300, 700, '9606', 'synthase'), (200, 600, '9606', 'reductase'), (350, 600, '10116', 'receptor'),
    (400, 600, '9606', 'cytochrome'), (300, 500, '9606', 'dehydrogenase'), (900, 2000, '9606', 'channel'));

CREATE VIEW entity_protein_family_word AS
SELECT column1 AS word, column2 AS second_word FROM (VALUES
    ('kinase', 'receptor'), ('receptor', 'serotonin'), ('receptor', 'dopamine'), ('receptor', 'adenosine'),
    ('channel', 'potassium'), ('channel', 'sodium'), ('channel', 'calcium'), ('protease', 'serine'), ('receptor', 'histamine'),
    ('transporter', 'sodium'), ('phosphatase', 'tyrosine'), ('kinase', 'cyclin'), ('receptor', 'estrogen'),
    ('deacetylase', 'histone'), ('demethylase', 'lysine'), ('anhydrase', 'carbonic'), ('receptor', 'glutamate'),
    ('dehydrogenase', 'aldehyde'), ('synthase', 'nitric'), ('receptor', 'opioid'), ('receptor', 'growth'),
    ('hydrolase', 'epoxide'), ('reductase', 'aldose'), ('receptor', 'chemokine'), ('oxidase', 'amine'));

CREATE VIEW entity_disease_word AS
SELECT column1 AS word FROM (VALUES
    ('cancer'), ('anemia'), ('diabetes'), ('epilepsy'), ('cardiomyopathy'), ('deafness'), ('dystrophy'), ('ataxia'),
    ('leukemia'), ('obesity'), ('Parkinson'), ('Alzheimer'), ('glaucoma'), ('cataract'), ('neuropathy'),
    ('immunodeficiency'), ('thrombophilia'), ('hypertension'), ('melanoma'), ('lymphoma'), ('schizophrenia'),
    ('autism'), ('hypercholesterolemia'), ('retinitis'), ('microcephaly'), ('albinism'), ('porphyria'), ('asthma'));

CREATE VIEW entity_keyword AS
SELECT keyword_id, name AS keyword, category, synonyms FROM keywords WHERE category IS NOT NULL;

CREATE VIEW entity_keyword_parent AS
SELECT DISTINCT trim(substr(hierarchy, 1, instr(hierarchy || ':', ':') - 1)) AS category
FROM keywords WHERE hierarchy IS NOT NULL;

CREATE VIEW entity_location AS
SELECT location_id, name AS location, category FROM subcellular_locations;

CREATE VIEW entity_disease AS
SELECT d.disease_id, d.name AS disease, d.acronym, d.disease_id IN (
    SELECT c.body_json ->> '$.disease.diseaseAccession' FROM protein_comments c
    WHERE c.type = 'DISEASE' AND c.body_json ->> '$.disease.diseaseAccession' IS NOT NULL) AS linked
FROM diseases d;

CREATE VIEW entity_database AS
SELECT database_id, abbreviation, name AS database_name, category FROM crossref_databases;

CREATE VIEW entity_taxon AS
SELECT CAST(taxon_id AS TEXT) AS taxon_id, scientific_name, common_name, rank, mnemonic,
       CAST(parent_id AS TEXT) AS parent_id, EXISTS (SELECT 1 FROM taxa above WHERE above.taxon_id = taxa.parent_id) AS placed
FROM taxa WHERE rank IS NOT NULL OR mnemonic IS NOT NULL;

CREATE VIEW entity_taxon_group AS
SELECT CAST(p.taxon_id AS TEXT) AS taxon_id, p.scientific_name, p.common_name, p.rank, count(*) AS children
FROM taxa p JOIN taxa c ON c.parent_id = p.taxon_id WHERE p.rank IS NOT NULL GROUP BY p.taxon_id;

CREATE VIEW entity_proteome AS
SELECT p.proteome_id, t.scientific_name AS organism, t.common_name, CAST(p.taxon_id AS TEXT) AS taxon_id,
       p.gene_count, (t.parent_id IS NOT NULL) AS placed
FROM proteomes p JOIN taxa t USING (taxon_id);

CREATE VIEW entity_uniparc AS
SELECT p.uniparc AS upi, p.gene, p.accession, CAST(p.taxon_id AS TEXT) AS taxon_id, p.length, p.crc64, p.md5
FROM proteins p WHERE p.uniparc IS NOT NULL AND p.gene IS NOT NULL AND p.status = 'reviewed';

CREATE VIEW entity_uniparc_recorded AS
SELECT id AS upi FROM uniprot_records WHERE kind = 'uniparc_entry';

CREATE VIEW entity_uniref AS
SELECT id AS cluster_id, kind, body_json ->> '$.memberCount' AS member_count,
       replace(body_json ->> '$.name', 'Cluster: ', '') AS cluster_name,
       body_json ->> '$.representativeMember.memberId' AS member_id,
       body_json ->> '$.commonTaxon.scientificName' AS taxon
FROM uniprot_records WHERE kind IN ('uniref', 'uniref_light');

CREATE VIEW entity_rule AS
SELECT id AS rule_id, kind FROM uniprot_records WHERE kind IN ('arba', 'unirule');

CREATE VIEW entity_gene_group AS
SELECT r.id AS canonical, r.body_json ->> '$.proteomeId' AS proteome_id,
       r.body_json ->> '$.canonicalProtein.geneName' AS gene, m.value ->> '$.id' AS accession
FROM uniprot_records r, json_each(r.body_json, '$.relatedProteins') m WHERE r.kind = 'genecentric'
UNION SELECT id, body_json ->> '$.proteomeId', body_json ->> '$.canonicalProtein.geneName', id
FROM uniprot_records WHERE kind = 'genecentric';

CREATE VIEW entity_citation AS
SELECT citation_id, title, journal, substr(date, -4) AS year, doi,
       CASE WHEN instr(authors || '|', '|') > 1 THEN substr(authors, 1, instr(authors || '|', '|') - 1) END AS author
FROM citations WHERE pubmed_id IS NOT NULL AND title IS NOT NULL;

CREATE VIEW entity_author AS
SELECT substr(author, 1, instr(author, ' ') - 1) AS surname, count(*) AS papers FROM entity_citation
WHERE author LIKE '% %' AND author NOT GLOB '*[^A-Za-z. ]*' AND author GLOB '[A-Z]*' GROUP BY 1 HAVING count(*) >= 2;

CREATE VIEW entity_paper_topic AS
SELECT column1 AS topic, column2 AS journal, column3 AS year FROM (VALUES
    ('p53', 'Nature', '2009'), ('kinase', 'Nature', '2005'), ('crystal structure', 'Nature', '2000'), ('receptor', 'Science', '2007'),
    ('amyloid', 'Science', '1999'), ('phosphorylation', 'Cell', '2004'), ('proteome', 'Nature', '2001'),
    ('EGFR', 'Cell', '2003'), ('breast cancer', 'Nature', '2006'), ('sequencing', 'Nature', '2002'),
    ('tumor suppressor', 'Cell', '1998'), ('genome', 'Nature', '2004'), ('ubiquitin', 'Nature', '2008'),
    ('cystic fibrosis', 'Science', '1989'), ('hemoglobin', 'Nature', '1968'), ('mutation', 'Nature', '2010'),
    ('mass spectrometry', 'Proteomics', '2005'), ('binding site', 'Biochemistry', '1995'), ('human chromosome', 'Nature', '2003'));
