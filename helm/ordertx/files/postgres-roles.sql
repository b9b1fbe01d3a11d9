-- The database of one service, and who may do what in it; for psql, as somebody who may make roles and databases:
--
--   psql "$ADMIN_URL" --variable service=order --file postgres-roles.sql
--
-- once for each of order, inventory, payment, dispatch, wms, member and notification, and for `archive` where there is one. It may be
-- repeated. It makes, for order:
--
--   ordertx_order         the role that serves (DATABASE_URL): reads and writes rows, and can make, change and drop no table, nor write
--                         down which changes of the schema have been made
--   ordertx_order_owner   the role that owns the tables (DATABASE_MIGRATION_URL); of the archive, the controller's, which makes a
--                         table a month
--   ordertx_reader        the same one for all databases: reads rows, for `reconcile`, the archive's readers and dashboards
--
-- They cannot log in before they have a password (`\password ordertx_order`) or another way to show who they are.
\set ON_ERROR_STOP on
\set database ordertx_ :service
\set serving ordertx_ :service
\set owner ordertx_ :service _owner
\set reader ordertx_reader

select format('create role %I login', name)
from unnest(array[:'serving', :'owner', :'reader']) as name
where not exists (select from pg_roles where rolname = name)
\gexec

-- Whoever is no superuser has to be what he gives a database to.
grant :"owner" to current_user;

-- The owner sees whose transaction a change of the schema waits for, and may end it.
grant :"serving" to :"owner";

select format('create database %I owner %I', :'database', :'owner')
where not exists (select from pg_database where datname = :'database')
\gexec

revoke all on database :"database" from public;
grant connect on database :"database" to :"serving", :"owner", :"reader";

\connect :"database"

revoke all on schema public from public;
grant usage, create on schema public to :"owner";
grant usage on schema public to :"serving", :"reader";

grant select, insert, update, delete on all tables in schema public to :"serving";
grant usage on all sequences in schema public to :"serving";
grant select on all tables in schema public to :"reader";

alter default privileges for role :"owner" in schema public grant select, insert, update, delete on tables to :"serving";
alter default privileges for role :"owner" in schema public grant usage on sequences to :"serving";
alter default privileges for role :"owner" in schema public grant select on tables to :"reader";

-- Which changes of the schema have been made is the owner's to write down: who serves only reads it, or whoever has taken a service over
-- could have them made once more. So the owner has these two tables before anybody else makes them. (references: of a table that one may only
-- read Postgres does not say what its key is, and that is asked.)
set role :"owner";
select format('create table if not exists %I (id serial primary key, name varchar(255) not null, run_on timestamp not null)', name)
from unnest(array['ordertx_kit_migrations', 'ordertx_service_migrations']) as name
where :'service' <> 'archive' and not exists (select from pg_tables where schemaname = 'public' and tablename = name)
\gexec
reset role;

select
  format('revoke insert, update, delete on %I from %I', tablename, :'serving') as less,
  format('grant references on %I to %I', tablename, :'serving') as more
from pg_tables
where schemaname = 'public' and tablename in ('ordertx_kit_migrations', 'ordertx_service_migrations')
\gexec
