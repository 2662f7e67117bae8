-- The things of NCBI from which calls are proposed; only what the atlas can answer for.

CREATE VIEW entity_entrez_gene AS  -- human and mouse genes with a full name
SELECT CAST(gene_id AS TEXT) AS gene_id, symbol, name, organism, taxon_id, CASE taxon_id WHEN 9606 THEN 'human' WHEN 10090 THEN 'mouse' END AS species,
       chromosome, map_location, summary IS NOT NULL AS described, chr_start IS NOT NULL AND chr_start <> 999999999 AS placed,
       refseq_rna, refseq_protein, CASE WHEN instr(aliases, '|') > 0 THEN substr(aliases, 1, instr(aliases, '|') - 1) ELSE aliases END AS alias
FROM entrez_genes
WHERE taxon_id IN (9606, 10090) AND name IS NOT NULL AND symbol IS NOT NULL AND symbol NOT LIKE 'LOC%' AND nomenclature_status IS NOT NULL;

CREATE VIEW entity_entrez_known_gene AS  -- genes with the whole document summary of the service
SELECT CAST(gene_id AS TEXT) AS gene_id, symbol, name, organism, chromosome
FROM entrez_genes WHERE complete = 'yes' AND nomenclature_status = 'Official';

CREATE VIEW entity_entrez_orthologue AS  -- genes of other model organisms, by symbol
SELECT CAST(gene_id AS TEXT) AS gene_id, symbol, organism, taxon_id
FROM entrez_genes WHERE taxon_id IN (10116, 7955, 9031, 7227, 6239, 4932, 8364) AND symbol IS NOT NULL AND symbol NOT LIKE 'LOC%';

CREATE VIEW entity_entrez_gene_pair AS  -- two neighbouring human genes of one chromosome
SELECT CAST(a.gene_id AS TEXT) AS gene_id, a.symbol AS symbol, CAST(b.gene_id AS TEXT) AS second_id, b.symbol AS second_symbol, a.chromosome AS chromosome
FROM entrez_genes a JOIN entrez_genes b ON b.gene_id = (
  SELECT MIN(c.gene_id) FROM entrez_genes c WHERE c.taxon_id = 9606 AND c.chromosome = a.chromosome AND c.gene_id > a.gene_id AND c.nomenclature_status = 'Official' AND c.symbol NOT LIKE 'LOC%')
WHERE a.taxon_id = 9606 AND a.nomenclature_status = 'Official' AND a.symbol NOT LIKE 'LOC%';

CREATE VIEW entity_entrez_gene_word AS  -- words of gene names, with how many human genes bear them
SELECT word, COUNT(*) AS genes FROM (
  SELECT DISTINCT g.gene_id, w.column1 AS word FROM (VALUES ('kinase'), ('receptor'), ('channel'), ('transporter'), ('collagen'), ('keratin'), ('hemoglobin'), ('phosphatase'),
    ('ligase'), ('protease'), ('dehydrogenase'), ('oncogene'), ('polymerase'), ('helicase'), ('transferase'), ('integrin'), ('cadherin'), ('interleukin'), ('chemokine'),
    ('histone'), ('myosin'), ('synthase'), ('hydroxylase'), ('factor'), ('homolog'), ('growth'), ('zinc'), ('calcium'), ('sodium'), ('potassium')) w
  JOIN entrez_genes g ON ' ' || lower(g.name) || ' ' LIKE '% ' || w.column1 || ' %' WHERE g.taxon_id = 9606)
GROUP BY word HAVING COUNT(*) >= 2;

CREATE VIEW entity_entrez_chromosome AS
SELECT chromosome, COUNT(*) AS genes FROM entrez_genes WHERE taxon_id = 9606 AND chromosome GLOB '[0-9XY]*' AND instr(chromosome, '|') = 0 GROUP BY chromosome;

CREATE VIEW entity_entrez_paper AS
SELECT CAST(pmid AS TEXT) AS pmid, title, source_name AS journal, substr(sort_date, 1, 4) AS year, volume, issue, pages,
       CASE WHEN instr(pages, '-') > 0 THEN substr(pages, 1, instr(pages, '-') - 1) ELSE pages END AS first_page,
       first_author, doi, pmcid, pub_types, mesh_major, source
FROM pubmed WHERE title IS NOT NULL AND first_author IS NOT NULL AND source_name IS NOT NULL AND sort_date <> '';

CREATE VIEW entity_entrez_citation AS  -- papers that their journal, volume and first page point to uniquely
SELECT * FROM (
  SELECT *, COUNT(*) OVER (PARTITION BY lower(journal), volume, first_page) AS same FROM entity_entrez_paper)
WHERE same = 1 AND volume IS NOT NULL AND first_page GLOB '[0-9]*' AND first_author GLOB '* [A-Z]*' AND first_author NOT GLOB '*[^A-Za-z ''-]*';

CREATE VIEW entity_entrez_citation_pair AS  -- two citations that stand next to each other by number
SELECT * FROM (
  SELECT pmid, journal, year, volume, first_page, first_author, LEAD(journal) OVER n AS journal2, LEAD(year) OVER n AS year2, LEAD(volume) OVER n AS volume2,
         LEAD(first_page) OVER n AS first_page2, LEAD(first_author) OVER n AS first_author2
  FROM entity_entrez_citation WINDOW n AS (ORDER BY CAST(pmid AS INTEGER)))
WHERE journal2 IS NOT NULL;

CREATE VIEW entity_entrez_author AS  -- first authors of two papers or more
SELECT first_author AS author, COUNT(*) AS papers, MAX(sort_date BETWEEN '1990' AND '2011') AS early FROM pubmed WHERE first_author GLOB '* [A-Z]*' AND first_author NOT GLOB '*[^A-Za-z ''-]*' GROUP BY first_author HAVING COUNT(*) >= 2;

CREATE VIEW entity_entrez_journal_year AS
SELECT source_name AS journal, substr(sort_date, 1, 4) AS year, COUNT(*) AS papers FROM pubmed
WHERE source_name IS NOT NULL AND sort_date <> '' AND source_name NOT GLOB '*[^A-Za-z ]*' GROUP BY 1, 2 HAVING COUNT(*) >= 3;

CREATE VIEW entity_entrez_topic AS  -- topics that several titles name
SELECT topic, COUNT(*) AS papers FROM (SELECT column1 AS topic FROM (VALUES ('cystic fibrosis'), ('Alzheimer disease'), ('breast cancer'), ('androgen receptor'), ('hemoglobin'), ('p53'), ('insulin receptor'), ('phenylketonuria'),
  ('Gaucher disease'), ('hypercholesterolemia'), ('apoptosis'), ('tumor suppressor'), ('crystal structure'), ('tyrosine kinase'), ('amyloid precursor protein'), ('estrogen receptor'), ('EGF receptor'),
  ('DNA repair'), ('ubiquitin ligase'), ('missense mutation'), ('sickle cell'), ('thalassemia'), ('Parkinson disease'), ('amyotrophic lateral sclerosis'), ('cardiomyopathy'), ('epilepsy'),
  ('long QT syndrome'), ('Li-Fraumeni syndrome'), ('osteogenesis imperfecta'), ('retinitis pigmentosa'), ('pigmentation'), ('melanoma'), ('leukemia'), ('colorectal cancer'), ('type 2 diabetes'),
  ('schizophrenia'), ('genome-wide association'), ('alternative splicing'), ('phosphorylation'), ('acetylation'), ('glycosylation'), ('molecular cloning'), ('polymorphism'), ('transcription factor'))) t
JOIN pubmed p ON lower(p.title) LIKE '%' || lower(topic) || '%' GROUP BY topic HAVING COUNT(*) >= 2;

CREATE VIEW entity_entrez_mesh AS
SELECT mesh_major AS heading, COUNT(*) AS papers FROM pubmed WHERE mesh_major IS NOT NULL AND instr(mesh_major, '|') = 0 AND mesh_major NOT GLOB '*[^A-Za-z -]*' GROUP BY mesh_major;

CREATE VIEW entity_entrez_variant AS
SELECT CAST(rs AS TEXT) AS rs_id, 'rs' || rs AS rsid, chr AS chromosome, chrpos, CASE WHEN chrpos IS NOT NULL THEN substr(chrpos, instr(chrpos, ':') + 1) END AS position,
       CASE WHEN instr(genes, ':') > 0 THEN substr(genes, 1, instr(genes, ':') - 1) END AS gene, snp_class, mafs IS NOT NULL AS with_frequencies, complete = 'yes' AS known
FROM snps WHERE chr IS NOT NULL;

CREATE VIEW entity_entrez_variant_gene AS
SELECT substr(genes, 1, instr(genes, ':') - 1) AS gene, chr AS chromosome, COUNT(*) AS variants,
       MIN(CAST(substr(chrpos, instr(chrpos, ':') + 1) AS INTEGER)) AS low, MAX(CAST(substr(chrpos, instr(chrpos, ':') + 1) AS INTEGER)) AS high
FROM snps WHERE genes IS NOT NULL AND instr(genes, '|') = 0 AND chrpos IS NOT NULL GROUP BY 1, 2;

CREATE VIEW entity_entrez_protein AS
SELECT accession, CASE WHEN instr(accession, '.') > 0 THEN substr(accession, 1, instr(accession, '.') - 1) END AS bare, gene, CAST(gene_id AS TEXT) AS gene_id, organism, taxon_id, database, length,
       CASE WHEN length > 60 THEN 20 END AS from_residue, CASE WHEN length > 60 THEN 60 END AS to_residue, length - length % 100 AS low, length - length % 100 + 100 AS high, sequence IS NOT NULL AS with_sequence
FROM entrez_proteins WHERE gene IS NOT NULL;

CREATE VIEW entity_entrez_protein_species AS
SELECT organism, COUNT(*) AS proteins FROM entrez_proteins WHERE organism NOT GLOB '*[^A-Za-z ]*' GROUP BY organism;

CREATE VIEW entity_entrez_transcript AS
SELECT accession, gene, CAST(gene_id AS TEXT) AS gene_id, length, title, sequence IS NOT NULL AS with_sequence, CASE WHEN length > 200 THEN 101 END AS from_base, CASE WHEN length > 200 THEN 200 END AS to_base
FROM entrez_nucleotides WHERE (gene IS NOT NULL OR title IS NOT NULL);

CREATE VIEW entity_entrez_taxon AS
SELECT CAST(taxon_id AS TEXT) AS taxon_id, name, rank, division, common_name, parent_id IS NOT NULL AS placed, complete = 'yes' AS known,
       (SELECT COUNT(*) FROM entrez_taxonomy c WHERE c.parent_id = t.taxon_id) AS children,
       EXISTS (WITH RECURSIVE below(id, rank) AS (SELECT c.taxon_id, c.rank FROM entrez_taxonomy c WHERE c.parent_id = t.taxon_id
                 UNION SELECT c.taxon_id, c.rank FROM entrez_taxonomy c JOIN below ON c.parent_id = below.id) SELECT 1 FROM below WHERE rank = 'species') AS with_species
FROM entrez_taxonomy t WHERE rank IS NOT NULL;

CREATE VIEW entity_entrez_clinical_variant AS
SELECT CAST(variation_id AS TEXT) AS variation_id, accession, title, variant_type, CASE WHEN instr(genes, ':') > 0 THEN substr(genes, 1, instr(genes, ':') - 1) END AS gene,
       chr AS chromosome, classification, CASE WHEN instr(traits, '|') > 0 THEN substr(traits, 1, instr(traits, '|') - 1) ELSE traits END AS trait, CASE WHEN rs IS NOT NULL THEN 'rs' || rs END AS rsid
FROM entrez_clinvar;

CREATE VIEW entity_entrez_database AS
SELECT dbname AS db, description, description IS NOT NULL AS described FROM entrez_databases;

CREATE VIEW entity_entrez_link AS  -- one record with links to another database
SELECT dbfrom, id_from, dbto, linkname, COUNT(*) AS links FROM entrez_elinks GROUP BY 1, 2, 3, 4;

CREATE VIEW entity_entrez_backlink AS
SELECT dbto AS dbfrom, id_to AS id_from, dbfrom AS dbto, COUNT(*) AS links FROM entrez_elinks WHERE linkname IN ('gene_pubmed', 'gene_snp', 'gene_clinvar', 'gene_nuccore_refseqrna', 'snp_clinvar', 'snp_pubmed_cited') GROUP BY 1, 2, 3;

CREATE VIEW entity_entrez_blast_protein AS  -- fragments that a person would paste
SELECT accession, gene, organism, substr(sequence, 31, 60) AS fragment, length FROM entrez_proteins WHERE length BETWEEN 120 AND 700 AND sequence IS NOT NULL AND taxon_id = 9606 AND gene IS NOT NULL;

CREATE VIEW entity_entrez_blast_nucleotide AS
SELECT accession, gene, substr(sequence, 201, 120) AS fragment, substr(sequence, 310, 150) AS coding FROM entrez_nucleotides
WHERE length > 700 AND substr(accession, 1, 3) IN ('NM_', 'NG_', 'NC_') AND substr(sequence, 201, 260) NOT LIKE '%N%';
