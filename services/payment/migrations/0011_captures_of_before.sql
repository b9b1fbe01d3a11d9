-- What was captured before captures were kept. What an older replica captures from now on is in the payment's own row only.
insert into captures (payment_id, capture_id, amount_cents, captured_at)
select payment_id, '', captured_cents, captured_at
from payments
where captured_cents is not null
on conflict do nothing;
