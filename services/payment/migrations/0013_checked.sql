-- What 0003, 0005 and 0012 have required of new rows is true of the old ones.
alter table refunds validate constraint refunds_state_check;
alter table payments validate constraint payments_status_check;
alter table captures validate constraint captures_payment_id_fkey;
