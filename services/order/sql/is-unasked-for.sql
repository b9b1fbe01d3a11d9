-- Whether this payment's attempt is Cancelled here though this service never had it created: nothing will give its money back by itself.
-- It reads the ended creations from end to end, which is bearable because nobody asks this of a payment that went as it should.
--
-- $1 transaction.
select
  exists (
    select from ordertx_fence
    where transaction = $1
      and branch = 'order'
      and state = 'Cancelled'
  )
  and not exists (select from creation where transaction = $1)
  and not exists (select from ended_creation where transaction = $1) as unasked
