-- A payment has a refund for each of its captures. No version names the primary key that was there before in a statement.

alter table refunds
  drop constraint refunds_pkey,
  add constraint refunds_pkey primary key using index refunds_by_capture;
