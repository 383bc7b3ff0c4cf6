DROP VIEW ibkeeper.v_bar_1m_filled;
