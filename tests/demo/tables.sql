-- Tables of every kind that a data directory holds, with @n rows in all, about.
-- The same @n gives the same rows: nothing here is random or depends on the clock.

CREATE DATABASE shop;
CREATE DATABASE archive;
CREATE DATABASE empty_one;
CREATE DATABASE `odd-näme`;

DELIMITER //
CREATE PROCEDURE shop.filler(IN target VARCHAR(128), IN source VARCHAR(512), IN rows_wanted INT)
BEGIN
    EXECUTE IMMEDIATE CONCAT('INSERT INTO ', target, ' SELECT ', source,
                             ' FROM seq_1_to_', GREATEST(rows_wanted, 10));
END //
DELIMITER ;

-- InnoDB: plain, with secondary keys, off-page blobs and full text.
CREATE TABLE shop.orders (
    id BIGINT PRIMARY KEY AUTO_INCREMENT, customer INT NOT NULL, placed DATETIME NOT NULL,
    total DECIMAL(12,2) NOT NULL, note VARCHAR(200),
    KEY by_customer (customer, placed)) ENGINE=InnoDB;
CALL shop.filler('shop.orders',
    'seq, seq * 7 MOD 5003, ''2024-01-01'' + INTERVAL seq MINUTE, seq / 7, CONCAT(MD5(seq), SHA1(seq))',
    @n * 0.35);
CREATE TABLE shop.documents (
    id INT PRIMARY KEY, body LONGTEXT NOT NULL, FULLTEXT KEY words (body)) ENGINE=InnoDB;
CALL shop.filler('shop.documents', 'seq, REPEAT(CONCAT(MD5(seq), '' ''), 1 + seq * 37 MOD 900)',
    @n * 0.005);
UPDATE shop.orders SET note = UPPER(note) WHERE id MOD 11 = 0;
DELETE FROM shop.orders WHERE id MOD 13 = 0;

-- InnoDB in its other shapes.
CREATE TABLE shop.lines_zip (
    id BIGINT PRIMARY KEY, item INT NOT NULL, label VARCHAR(80), KEY by_item (item))
    ENGINE=InnoDB ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8;
CALL shop.filler('shop.lines_zip', 'seq, seq MOD 997, CONCAT(''item number '', seq MOD 997)', @n * 0.15);
CREATE TABLE shop.lines_holes (
    id BIGINT PRIMARY KEY, item INT NOT NULL, label VARCHAR(200))
    ENGINE=InnoDB PAGE_COMPRESSED=1;
CALL shop.filler('shop.lines_holes', 'seq, seq MOD 997, REPEAT(CHAR(97 + seq MOD 26), 150)', @n * 0.15);
CREATE TABLE shop.visits (
    id BIGINT NOT NULL, day DATE NOT NULL, page VARCHAR(60), PRIMARY KEY (id, day)) ENGINE=InnoDB
    PARTITION BY RANGE (YEAR(day)) SUBPARTITION BY HASH (id) SUBPARTITIONS 2 (
        PARTITION p2023 VALUES LESS THAN (2024),
        PARTITION p2024 VALUES LESS THAN (2025),
        PARTITION rest VALUES LESS THAN MAXVALUE);
CALL shop.filler('shop.visits', 'seq, ''2023-01-01'' + INTERVAL seq MOD 1200 DAY, MD5(seq)', @n * 0.1);
CREATE TABLE shop.old_rows (id INT PRIMARY KEY, t VARCHAR(300)) ENGINE=InnoDB ROW_FORMAT=REDUNDANT;
CALL shop.filler('shop.old_rows', 'seq, REPEAT(MD5(seq), 1 + seq MOD 9)', @n * 0.02);
CREATE TABLE shop.nothing_yet (id INT PRIMARY KEY) ENGINE=InnoDB;
CREATE SEQUENCE shop.ticket START WITH 1000 INCREMENT BY 5;
SELECT NEXTVAL(shop.ticket) INTO @ticket;

-- A tablespace outside of the data directory; the placeholder is filled in by the script.
CREATE TABLE archive.elsewhere (id BIGINT PRIMARY KEY, t CHAR(64)) ENGINE=InnoDB
    DATA DIRECTORY='@OUTSIDE@';
CALL shop.filler('archive.elsewhere', 'seq, SHA2(seq, 256)', @n * 0.08);

-- Other engines: several files for each table, no tablespace.
CREATE TABLE archive.aria_rows (id BIGINT PRIMARY KEY, t VARCHAR(100), KEY (t(8)))
    ENGINE=Aria TRANSACTIONAL=1;
CALL shop.filler('archive.aria_rows', 'seq, SHA1(seq)', @n * 0.08);
CREATE TABLE archive.isam_rows (id BIGINT PRIMARY KEY, t VARCHAR(100), KEY (t(8))) ENGINE=MyISAM;
CALL shop.filler('archive.isam_rows', 'seq, SHA1(seq)', @n * 0.08);
CREATE TABLE archive.csv_rows (id INT NOT NULL, t VARCHAR(40) NOT NULL) ENGINE=CSV;
CALL shop.filler('archive.csv_rows', 'seq, MD5(seq)', @n * 0.005);
CREATE TABLE `odd-näme`.`t #1 $äß` (id INT PRIMARY KEY, t VARCHAR(40)) ENGINE=InnoDB;
CALL shop.filler('`odd-näme`.`t #1 $äß`', 'seq, MD5(seq)', 100);

-- What lives in files of its own beside the tables.
CREATE VIEW shop.big_orders AS SELECT id, total FROM shop.orders WHERE total > 1000;
CREATE TRIGGER shop.stamp BEFORE INSERT ON shop.documents FOR EACH ROW SET NEW.body = TRIM(NEW.body);
