-- A capture is of a payment there is.
alter table captures
  drop constraint if exists captures_payment_id_fkey,
  add constraint captures_payment_id_fkey foreign key (payment_id) references payments not valid;
