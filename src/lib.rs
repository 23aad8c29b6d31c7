//! Physical backups of MySQL and MariaDB as streams.
