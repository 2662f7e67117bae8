-- What calls to Ensembl can be proposed about: only things that the atlas answers for.
-- Names begin with ensembl_ since the views of all databases live together.

CREATE VIEW ensembl_famous AS
WITH names(symbol) AS (VALUES ('BRCA1'), ('BRCA2'), ('TP53'), ('EGFR'), ('KRAS'), ('CFTR'), ('APOE'), ('HBB'), ('INS'), ('VEGFA'), ('PTEN'),
  ('HTT'), ('DMD'), ('MTHFR'), ('F8'), ('HFE'), ('RB1'), ('APC'), ('MLH1'), ('ATM'), ('PIK3CA'), ('NRAS'), ('IDH1'), ('SOD1'), ('APP'), ('PSEN1'),
  ('SNCA'), ('LRRK2'), ('MECP2'), ('PAH'), ('G6PD'), ('BRAF'), ('IL6'), ('ACE2'), ('GAPDH'), ('FBN1'), ('RET'), ('KIT'), ('TTN'), ('PCSK9'))
SELECT symbol FROM names;

CREATE VIEW entity_ensembl_gene AS
SELECT g.species, g.symbol, g.id AS gene_id, g.biotype, g.seq_region AS chromosome, g."start", g."end", g.strand, g.complete,
       g.species = 'homo_sapiens' AND g.symbol IN (SELECT symbol FROM ensembl_famous) AS famous,
       g.seq_region || ':' || g."start" || '-' || g."end" AS region,
       EXISTS (SELECT 1 FROM ensembl_xrefs x WHERE x.id = g.id) AS well_known,
       EXISTS (SELECT 1 FROM transcripts t WHERE t.gene = g.id) AS has_transcripts,
       EXISTS (SELECT 1 FROM transcripts t JOIN exons e ON e.transcript = t.id WHERE t.gene = g.id AND e.id IS NOT NULL) AS has_exons,
       EXISTS (SELECT 1 FROM variants v WHERE g.species = 'homo_sapiens' AND v.seq_region = g.seq_region
               AND v."start" BETWEEN g."start" AND g."end") AS has_variants
FROM genes g WHERE g.symbol IS NOT NULL;

CREATE VIEW entity_ensembl_gene_window AS
SELECT symbol, chromosome || ':' || "start" || '-' || min("end", "start" + 4999) AS region, species, gene_id, well_known,
       chromosome || ':' || max(1, "start" - 1000) || '-' || ("end" + 1000) AS wide_region
FROM entity_ensembl_gene WHERE "end" - "start" < 2000000;

CREATE VIEW entity_ensembl_transcript AS
SELECT t.id AS transcript_id, t.gene AS gene_id, t.species, t.id || '.' || t.version AS versioned_id, t.translation AS protein_id, t.mane, t.refseq,
       t.exons_known, t.cds_start IS NOT NULL AND t.exons_known = 1 AS coding_known,
       EXISTS (SELECT 1 FROM exons e WHERE e.transcript = t.id AND e.id IS NOT NULL) AND t.exons_known = 1 AS exon_ids_known,
       EXISTS (SELECT 1 FROM variants v WHERE t.species = 'homo_sapiens' AND v.seq_region = t.seq_region
               AND v."start" BETWEEN t."start" AND t."end") AS has_variants
FROM transcripts t;

CREATE VIEW entity_ensembl_exon AS
SELECT DISTINCT id AS exon_id, transcript AS transcript_id, species, version FROM exons WHERE id LIKE 'ENS%';

-- Ranges along transcripts: lengths are those of the known exons, ends are spread by the coordinates themselves.
CREATE VIEW entity_ensembl_cdna_range AS
SELECT transcript_id, species, gene_id, first || '..' || min(last, total) AS "range", first || '-' || min(last, total) AS dashed FROM (
  SELECT t.id AS transcript_id, t.species, t.gene AS gene_id, sum(e."end" - e."start" + 1) AS total,
         1 + (t."start" % 23) * 10 AS first, (t."start" % 23) * 10 + 50 + (t."end" % 19) * 50 AS last
  FROM transcripts t JOIN exons e ON e.transcript = t.id WHERE t.exons_known = 1 GROUP BY t.id)
WHERE first + 20 < total;

CREATE VIEW entity_ensembl_cds_range AS
SELECT transcript_id, species, gene_id, protein_id, protein_length,
       first || '..' || min(last, 3 * protein_length) AS "range", first || '-' || min(last, 3 * protein_length) AS dashed,
       (1 + first / 3) || '..' || min(1 + first / 3 + last / 5, protein_length) AS residues FROM (
  SELECT t.id AS transcript_id, t.species, t.gene AS gene_id, t.translation AS protein_id, t.protein_length,
         1 + (t."start" % 17) * 6 AS first, (t."start" % 17) * 6 + 60 + (t."end" % 13) * 45 AS last
  FROM transcripts t WHERE t.exons_known = 1 AND t.cds_start IS NOT NULL AND t.protein_length IS NOT NULL)
WHERE first + 30 < 3 * protein_length;

CREATE VIEW entity_ensembl_protein AS
SELECT s.id AS protein_id, s.transcript AS transcript_id, s.id || '.' || s.version AS versioned_id, length(s.sequence) AS length,
       EXISTS (SELECT 1 FROM transcripts t WHERE t.translation = s.id) AS placed,
       1 + length(s.sequence) % 40 AS first, min(length(s.sequence), 60 + length(s.sequence) % 90) AS last
FROM translation_sequences s;

CREATE VIEW entity_ensembl_archived AS SELECT id AS stable_id, type AS kind, version FROM archive_ids;

CREATE VIEW entity_ensembl_xref AS
SELECT species, display_id AS name, dbname, id AS stable_id, object_type, primary_id,
       species = 'homo_sapiens' AND display_id IN (SELECT symbol FROM ensembl_famous) AS famous FROM ensembl_xrefs;

CREATE VIEW entity_ensembl_orthologue AS
SELECT species, symbol, gene AS gene_id, target_species, target_taxon_id, target_gene,
       upper(symbol) IN (SELECT symbol FROM ensembl_famous) AS famous,
       EXISTS (SELECT 1 FROM ensembl_xrefs x WHERE x.id = h.gene) AS well_known FROM homologies h;

CREATE VIEW entity_ensembl_mapped_region AS
SELECT species, seq_region || ':' || start_one || '..' || end_one || ':1' AS region, assembly_one AS from_assembly, assembly_two AS to_assembly FROM assembly_map
UNION ALL
SELECT species, seq_region || ':' || start_two || '..' || end_two || ':1', assembly_two, assembly_one FROM assembly_map
UNION ALL
SELECT 'homo_sapiens', 'X:1000000..1000100:1', 'GRCh37', 'GRCh38' FROM ensembl_recorded WHERE path = '/map/homo_sapiens/GRCh37/X:1000000..1000100:1/GRCh38';

CREATE VIEW entity_ensembl_mitochondrial_region AS
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 59)
SELECT 'MT:' || (1 + i * 271) || '..' || (50 + i * 271 + (i % 7) * 15) || ':' || (CASE WHEN i % 4 = 3 THEN '-1' ELSE '1' END) AS region,
       g.species, g.assembly FROM n, genome_sequences g WHERE g.seq_region = 'MT' AND 50 + i * 271 + 90 < length(g.sequence);

CREATE VIEW entity_ensembl_variant AS
SELECT id AS rsid, seq_region AS chromosome, "start" AS position, gene, recorded,
       seq_region || ':' || ("start" - 100) || '-' || ("start" + 100) AS region,
       EXISTS (SELECT 1 FROM variant_frequencies f WHERE f.variant = v.id) AS has_frequencies
FROM variants v WHERE id LIKE 'rs%';

CREATE VIEW entity_ensembl_ld_variant AS
SELECT variation1 AS rsid, population, window_kb, max(CAST(r2 AS REAL)) AS best_r2 FROM ld WHERE window_kb IS NOT NULL GROUP BY 1, 2, 3;

CREATE VIEW entity_ensembl_ld_pair AS
SELECT variation1, variation2, population, CAST(r2 AS REAL) AS r2, window_kb IS NULL AS every_population FROM ld;

CREATE VIEW entity_ensembl_population AS SELECT name, species, description, ld FROM populations;

CREATE VIEW entity_ensembl_trait AS
SELECT accession, trait, count(*) AS associations, origin FROM phenotype_features GROUP BY accession, trait, origin;

CREATE VIEW entity_ensembl_trait_gene AS
SELECT associated_gene AS gene, count(*) AS associations, 'homo_sapiens' AS species FROM phenotype_features
WHERE associated_gene IS NOT NULL GROUP BY associated_gene;

CREATE VIEW entity_ensembl_trait_region AS
SELECT seq_region || ':' || ("start" - "start" % 50000 + 1) || '-' || ("start" - "start" % 50000 + 50000) AS region, seq_region AS chromosome,
       min("start") AS position, count(*) AS associations FROM phenotype_features WHERE "start" > 50000 AND seq_region GLOB '[0-9X]*'
GROUP BY seq_region, "start" / 50000;

CREATE VIEW entity_ensembl_term AS
SELECT t.accession, t.name, t.ontology, t.relations_known,
       EXISTS (SELECT 1 FROM ontology_relations r JOIN ontology_terms p ON p.accession = r.parent
               WHERE r.child = t.accession AND r.relation IN ('is_a', 'part_of')) AS has_parents,
       (SELECT count(*) FROM ontology_relations r WHERE r.parent = t.accession AND r.relation IN ('is_a', 'part_of')) AS children,
       EXISTS (SELECT 1 FROM consequence_types c WHERE c.so_accession = t.accession) AS is_consequence,
       instr(t.name, '/') = 0 AND instr(t.name, '%') = 0 AS plain_name
FROM ontology_terms t;

CREATE VIEW entity_ensembl_taxon AS
SELECT t.id AS taxon_id, n.name, t."rank", n.class,
       EXISTS (SELECT 1 FROM species s WHERE s.taxon_id = t.id) AS has_genome
FROM taxonomy_ensembl t JOIN taxonomy_ensembl_names n ON n.id = t.id
WHERE t.id > 1 AND n.class IN ('scientific name', 'genbank common name') AND instr(n.name, '/') = 0;

CREATE VIEW entity_ensembl_species AS SELECT name AS species, display_name, taxon_id, listed FROM species;

CREATE VIEW entity_ensembl_chromosome AS SELECT species, name AS chromosome, length, coord_system FROM chromosomes;

CREATE VIEW entity_ensembl_external_db AS
SELECT name AS dbname, display_name, substr(name, 1, instr(name || '_', '_') - 1) || '%' AS pattern FROM external_dbs WHERE length(name) > 2;

CREATE VIEW entity_ensembl_method_class AS SELECT DISTINCT substr(class, 1, instr(class, '.') - 1) AS class, 'vertebrates' AS compara FROM compara_methods;

CREATE VIEW entity_ensembl_service AS SELECT 'homo_sapiens' AS species, what, value FROM ensembl_releases WHERE what = 'ping';

CREATE VIEW entity_ensembl_recorded AS
SELECT function, 'homo_sapiens' AS species, substr(path, length('/vep/homo_sapiens/id/') + 1) AS id, query FROM ensembl_recorded WHERE function = 'vep_by_id'
UNION ALL
SELECT function, 'homo_sapiens', substr(path, length('/vep/homo_sapiens/hgvs/') + 1), coalesce(query, '') FROM ensembl_recorded WHERE function = 'vep_by_hgvs'
UNION ALL
SELECT function, 'homo_sapiens', substr(path, length('/variant_recoder/homo_sapiens/') + 1), query FROM ensembl_recorded WHERE function = 'variant_recoder'
UNION ALL
SELECT function, 'homo_sapiens', substr(path, length('/genetree/id/') + 1), query FROM ensembl_recorded WHERE function = 'get_genetree_by_id'
UNION ALL
SELECT function, 'homo_sapiens', substr(path, length('/sequence/region/homo_sapiens/') + 1), coalesce(query, '') FROM ensembl_recorded
WHERE function = 'get_sequence_by_region'
UNION ALL
SELECT function, 'homo_sapiens', substr(path, length('/overlap/region/homo_sapiens/') + 1), query FROM ensembl_recorded WHERE function = 'overlap_by_region'
UNION ALL
SELECT function, 'taeniopygia_guttata', substr(path, length('/alignment/region/taeniopygia_guttata/') + 1), query FROM ensembl_recorded
WHERE function = 'get_alignment_region'
UNION ALL
SELECT function, 'homo_sapiens', substr(path, length('/sequence/id/') + 1), coalesce(query, '') FROM ensembl_recorded WHERE function = 'get_sequence_by_id';

CREATE VIEW entity_ensembl_recorded_ontology AS
SELECT function, substr(path, instr(path, 'GO:')) AS accession, NULL AS name FROM ensembl_recorded WHERE function LIKE 'get_ontology_%' AND path LIKE '%GO:%'
UNION ALL
SELECT function, NULL, substr(path, length('/ontology/name/') + 1) FROM ensembl_recorded WHERE function = 'get_ontology_name';

-- The paths end with a single base, so the region is what comes before the last two characters.
CREATE VIEW entity_ensembl_recorded_allele AS
SELECT substr(path, length('/vep/homo_sapiens/region/') + 1, length(path) - length('/vep/homo_sapiens/region/') - 2) AS region, substr(path, -1) AS allele,
       'homo_sapiens' AS species FROM ensembl_recorded WHERE function = 'vep_by_region';

CREATE VIEW entity_ensembl_tree_member AS
SELECT g.species, g.id AS gene_id, g.symbol FROM ensembl_recorded r JOIN genes g ON instr(r.body, '"' || g.id || '"') > 0
WHERE r.function = 'get_genetree_by_id';

CREATE VIEW entity_ensembl_biotype AS
SELECT DISTINCT name, biotype_group AS "group", EXISTS (SELECT 1 FROM transcripts t WHERE t.biotype = b.name) AS used FROM biotypes b;

CREATE VIEW entity_ensembl_biotype_group AS SELECT biotype_group AS "group", object_type, count(*) AS size FROM biotypes GROUP BY 1, 2;

CREATE VIEW entity_ensembl_annotated AS SELECT species, count(*) AS genes FROM genes WHERE biotype IS NOT NULL GROUP BY species;

CREATE VIEW entity_ensembl_variation_source AS SELECT species, name FROM variation_sources;

CREATE VIEW entity_ensembl_aligned AS SELECT method, count(*) AS sets FROM species_sets GROUP BY method;

CREATE VIEW entity_ensembl_domain AS SELECT translation AS protein_id, type, count(*) AS features FROM translation_features GROUP BY 1, 2;

CREATE VIEW entity_ensembl_matrix AS SELECT stable_id, 'homo_sapiens' AS species FROM binding_matrices;

-- Places of the Beacon count from 0.
CREATE VIEW entity_ensembl_allele AS
SELECT id AS rsid, seq_region AS chromosome, "start" - 1 AS position, substr(allele_string, 1, 1) AS ref, substr(allele_string, 3, 1) AS alt FROM variants
WHERE allele_string GLOB '[ACGT]/[ACGT]' OR allele_string GLOB '[ACGT]/[ACGT]/*';

CREATE VIEW entity_ensembl_ga4gh_set AS SELECT 'Ensembl.' || value || '.GRCh38' AS set_id FROM ensembl_releases WHERE what = 'data';

CREATE VIEW entity_ensembl_ga4gh_feature AS
SELECT t.id || '.' || t.version AS feature_id, 'transcript' AS kind FROM transcripts t JOIN genes g ON g.id = t.gene
WHERE t.species = 'homo_sapiens' AND g.version IS NOT NULL AND t.exons_known = 1
  AND NOT EXISTS (SELECT 1 FROM exons e WHERE e.transcript = t.id AND (e.id IS NULL OR e.version IS NULL))
  AND (t.translation IS NULL OR t.translation_version IS NOT NULL OR t.mane IS NOT NULL AND EXISTS (SELECT 1 FROM translation_sequences s WHERE s.transcript = t.id))
UNION ALL
SELECT id || '.' || version, 'gene' FROM genes WHERE species = 'homo_sapiens' AND complete = 1 AND version IS NOT NULL;
